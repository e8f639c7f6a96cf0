"""HighLevel's modules against its double, over the real transport."""

from __future__ import annotations

from datetime import timedelta

import pytest
from test_connectors_simulated import Do, play

from junctor.connectors.highlevel import highlevel
from junctor.errors import BundleInvalid, VendorRefused
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Simulator


def test_a_contact_with_tasks_notes_tags_and_appointments() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [made] = await do("createContact", firstName="Ada", phone="202 555 0178", tags=["vip"])
        contact = made["contact"]["id"]
        assert made["contact"]["phone"] == "+12025550178"
        [changed] = await do("updateContact", contactId=contact, city="London", phone="2025550179")
        assert (changed["city"], changed["phone"]) == ("London", "+12025550179")
        [user] = [row["id"] for row in await do("listUsers")][:1]
        [task] = await do(
            "createTask",
            contactId=contact,
            title="Call back",
            dueDate="2026-11-23T09:00:00Z",
            assignedTo=user,
        )
        assert (task["dueDate"], task["assignedTo"]) == ("2026-11-23T09:00:00.000Z", user)
        which = {"contactId": contact, "taskId": task["id"]}
        [renamed] = await do("updateTask", **which, title="Call Ada back")
        assert renamed["title"] == "Call Ada back"
        [done] = await do("setTaskCompleted", **which, completed=True)
        assert done["completed"] is True
        assert [row["id"] for row in await do("listTasks", contactId=contact)] == [task["id"]]
        assert [row["id"] for row in await do("searchTasks", completed=True)] == [task["id"]]
        assert await do("deleteTask", **which)
        [note] = await do("createNote", contactId=contact, body="Hello")
        [note] = await do("updateNote", contactId=contact, id=note["id"], body="Hello, Ada")
        assert (await do("listNotes", contactId=contact))[0]["body"] == "Hello, Ada"
        await do("deleteNote", contactId=contact, id=note["id"])
        await do("addTags", contactId=contact, tags=["new"])
        [left] = await do("removeTags", contactId=contact, tags=["vip"])
        assert left["tags"] == ["new"]
        [calendar] = await do("listCalendars")
        [booked] = await do(
            "createAppointment",
            calendarId=calendar["id"],
            contactId=contact,
            startTime="2026-12-01T10:00:00Z",
        )
        assert [row["id"] for row in await do("listContactAppointments", contactId=contact)] == [
            booked["id"]
        ]
        span = {"startTime": "2026-12-01T00:00:00Z", "endTime": "2026-12-02T00:00:00Z"}
        assert len(await do("listAppointments", calendarId=calendar["id"], **span)) == 1
        [free] = await do(
            "getFreeTimes",
            calendarId=calendar["id"],
            startDate=span["startTime"],
            endDate=span["endTime"],
        )
        assert len(free["2026-12-01"]["slots"]) == 15
        [moved] = await do("updateAppointment", eventId=booked["id"], appointmentStatus="cancelled")
        assert moved["appointmentStatus"] == "cancelled"
        await do("deleteEvent", eventId=booked["id"])
        await do("deleteContact", contactId=contact)
        with pytest.raises(VendorRefused, match="Contact not found"):
            await do("getContact", contactId=contact)

    play("highlevel", highlevel, story)


def test_contacts_are_found_page_by_page_and_by_business() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)
        for number in range(130):
            await do("createContact", firstName=f"N{number}", email=f"n{number}@example.com")
            if number % 60 == 50:
                assert simulator.meter is not None
                simulator.meter.reset()
        found = await do("searchContacts", query="@example.com", limit=120)
        assert len({row["id"] for row in found}) == 120
        assert found[0]["name"] == "N129"
        old = await do("listContacts", query="@example.com", limit=120)
        assert [row["id"] for row in old] == [row["id"] for row in found]
        only = await do("searchContacts", filters=[{"field": "email", "value": "n7@example.com"}])
        assert [row["firstName"] for row in only] == ["N7"]
        [firm] = await do("listBusinesses")
        ids = [row["id"] for row in found[:3]]
        await do("setBusinessInBulk", ids=ids, businessId=firm["id"])
        members = await do("listContactsByBusiness", businessId=firm["id"])
        assert {row["id"] for row in members} == set(ids)
        [twin] = await do("findDuplicateContact", email="n7@example.com")
        assert twin["id"] == only[0]["id"]
        [tagged] = await do("updateTagsInBulk", type="add", contacts=ids, tags=["vip"])
        assert tagged["succeeded"] is True
        assert "vip" in [row["name"] for row in await do("listTags")]

    play("highlevel", highlevel, story)


def test_an_opportunity_from_open_to_won() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        [pipeline] = await do("listPipelines")
        stages = await do("listPipelineStages")
        assert stages[1]["fullName"] == "Sales: Offer"
        [made] = await do(
            "createOpportunity",
            name="Deal",
            contactId=contact["id"],
            pipelineId=pipeline["id"],
            monetaryValue="120.5",
        )
        assert (made["status"], made["monetaryValue"]) == ("open", 120.5)
        await do("updateOpportunity", id=made["id"], pipelineStageId=stages[1]["id"])
        await do("setOpportunityStatus", id=made["id"], status="won")
        [found] = await do("searchOpportunities", pipelineId=pipeline["id"], status="won")
        assert found["pipelineStageId"] == stages[1]["id"]
        [again] = await do("searchOpportunitiesAdvanced", query="deal")
        assert again["id"] == made["id"]
        [same] = await do(
            "upsertOpportunity", id=made["id"], pipelineId=pipeline["id"], name="Big deal"
        )
        assert (same["new"], same["opportunity"]["name"]) == (False, "Big deal")
        await do("deleteOpportunity", id=made["id"])
        with pytest.raises(VendorRefused, match="Opportunity not found"):
            await do("getOpportunity", id=made["id"])

    play("highlevel", highlevel, story)


def test_a_conversation_with_messages() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        [sent] = await do("sendMessage", type="SMS", contactId=contact["id"], message="Hello")
        talk = sent["conversationId"]
        await do("addInboundMessage", type="SMS", conversationId=talk, message="Hi")
        await do("addOutboundCall", conversationId=talk, call={"to": "+12025550100"})
        rows = await do("listMessages", conversationId=talk)
        assert [row["messageType"] for row in rows] == ["TYPE_CALL", "TYPE_SMS", "TYPE_SMS"]
        assert len(await do("exportMessages", contactId=contact["id"], limit=2)) == 2
        [message] = await do("getMessage", id=sent["messageId"])
        assert message["body"] == "Hello"
        await do("setMessageStatus", messageId=sent["messageId"], status="read")
        [listed] = await do("searchConversations", contactId=contact["id"])
        assert (listed["id"], listed["unreadCount"]) == (talk, 1)
        [starred] = await do("updateConversation", conversationId=talk, starred=True)
        assert starred["starred"] is True
        with pytest.raises(VendorRefused, match="no message or attachments"):
            await do("sendMessage", type="SMS", contactId=contact["id"])

    play("highlevel", highlevel, story)


def test_what_a_location_holds() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)
        [made] = await do("createBusiness", name="Acme", phone="202 555 0100")
        firm = made["buiseness"]
        assert firm["phone"] == "+12025550100"
        await do("updateBusiness", businessId=firm["id"], city="Paris")
        assert (await do("getBusiness", businessId=firm["id"]))[0]["city"] == "Paris"
        await do("deleteBusiness", businessId=firm["id"])
        [tag] = await do("createTag", name="Lead")
        await do("updateTag", tagId=tag["id"], name="Client")
        assert "client" in [row["name"] for row in await do("listTags")]
        [field] = await do("createCustomField", name="Shoe size", dataType="NUMERICAL")
        assert field["fieldKey"] == "contact.shoe_size"
        [value] = await do("createCustomValue", name="Hours", value="9 to 5")
        assert (await do("getCustomValue", id=value["id"]))[0]["value"] == "9 to 5"
        [user] = await do(
            "createUser",
            companyId="c",
            firstName="Al",
            lastName="B",
            email="al@example.com",
            password="secret-1",
            type="account",
            role="user",
            locationIds=[simulator.location_id],
        )
        assert "password" not in user
        for name in ("listCampaigns", "listWorkflows", "listForms", "listSurveys", "listLinks"):
            assert len(await do(name)) == 1
        assert (await do("listLocations"))[0]["id"] == simulator.location_id
        [contact] = await do("searchContacts", limit=1)
        [flow] = await do("listWorkflows")
        await do("addContactToWorkflow", contactId=contact["id"], workflowId=flow["id"])
        [campaign] = await do("listCampaigns")
        await do("addContactToCampaign", contactId=contact["id"], campaignId=campaign["id"])
        await do("removeContactFromAllCampaigns", contactId=contact["id"])
        [followed] = await do("addContactFollowers", contactId=contact["id"], followers=["u1"])
        assert followed["followersAdded"] == ["u1"]

    play("highlevel", highlevel, story)


def test_polling_lists_what_there_is() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)
        assert len(await do("pollNewContacts", lookedAt=5)) == 5
        assert len(await do("pollUpdatedContacts", lookedAt=7)) == 7
        [form] = await do("listForms")
        simulator.more.submit("forms", {"formId": form["id"], "name": "Ada"})
        [row] = await do("pollFormSubmissions", formId=form["id"])
        poll = highlevel.modules["pollFormSubmissions"].poll
        assert poll is not None
        assert poll.date is not None
        made = poll.date(row)
        assert made is not None
        for days, found in ((0, [row]), (2, []), (-40, [row])):
            since = made + timedelta(days=days)
            assert await do("pollFormSubmissions", since=since) == found
        assert await do("pollSurveySubmissions") == []
        [contact] = await do("searchContacts", limit=1)
        await do("createTask", contactId=contact["id"], title="T", dueDate="2026-12-01")
        assert [task["title"] for task in await do("pollTasks")] == ["T"]
        await do("sendMessage", type="SMS", contactId=contact["id"], message="Hello")
        assert await do("pollConversations", direction="inbound") == []
        assert len(await do("pollConversations", direction="outbound")) == 1

    play("highlevel", highlevel, story)


def test_refusals_are_told_in_the_vendors_words() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        with pytest.raises(BundleInvalid, match="'phone': 'call me' is no phone number"):
            await do("createContact", phone="call me")
        with pytest.raises(VendorRefused, match="email must be an email"):
            await do("createContact", email="nobody")
        with pytest.raises(VendorRefused, match="does not have access to this location"):
            await do("listTags", locationId="elsewhere")
        with pytest.raises(VendorRefused, match="pipeline id is invalid"):
            await do("upsertOpportunity", pipelineId="nowhere")

    play("highlevel", highlevel, story)
