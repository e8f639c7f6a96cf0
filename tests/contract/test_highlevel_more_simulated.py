"""HighLevel's other modules made by hand, against its double, over the real transport."""

from __future__ import annotations

from test_connectors_simulated import Do, play

from junctor.connectors.highlevel import highlevel
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Simulator

AT = {"startTime": "2026-12-01T10:00:00Z", "endTime": "2026-12-01T11:00:00Z"}


def test_calendars_groups_and_blocked_times() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [free] = await do("checkCalendarGroupSlug", slug="tours")
        assert free["available"] is True
        words = {"name": "Tours", "description": "Of the shop", "slug": "tours"}
        [group] = await do("createCalendarGroup", **words)
        await do("updateCalendarGroup", groupId=group["id"], **{**words, "name": "Visits"})
        await do("setCalendarGroupStatus", groupId=group["id"], isActive=False)
        assert "Visits" in [row["name"] for row in await do("listCalendarGroups")]
        [made] = await do("createCalendar", name="Shop", groupId=group["id"], slug="shop")
        await do("updateCalendar", calendarId=made["id"], name="Shop tours")
        [calendar] = await do("getCalendar", calendarId=made["id"])
        assert calendar["name"] == "Shop tours"
        [blocked] = await do("createBlockedTime", **AT, calendarId=made["id"], title="Lunch")
        await do(
            "updateBlockedTime", eventId=blocked["id"], calendarId=made["id"], title="Long lunch"
        )
        span = {"startTime": "2026-12-01T00:00:00Z", "endTime": "2026-12-02T00:00:00Z"}
        rows = await do("listBlockedTimes", **span, calendarId=made["id"])
        assert [row["title"] for row in rows] == ["Long lunch"]
        await do("deleteCalendar", calendarId=made["id"])
        await do("deleteCalendarGroup", groupId=group["id"])

    play("highlevel", highlevel, story)


def test_an_appointments_notes() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        [calendar] = await do("listCalendars")
        who = {"calendarId": calendar["id"], "contactId": contact["id"]}
        [booked] = await do("createAppointment", **who, startTime=AT["startTime"])
        [found] = await do("getAppointment", eventId=booked["id"])
        assert found["contactId"] == contact["id"]
        which = {"appointmentId": booked["id"]}
        [note] = await do("createAppointmentNote", **which, body="Bring samples")
        await do("updateAppointmentNote", **which, noteId=note["id"], body="Bring two")
        assert [row["body"] for row in await do("listAppointmentNotes", **which)] == ["Bring two"]
        await do("deleteAppointmentNote", **which, noteId=note["id"])

    play("highlevel", highlevel, story)


def test_messages_calls_and_what_was_scheduled() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        [talk] = await do("createConversation", contactId=contact["id"])
        here = {"contactId": contact["id"]}
        [found] = await do("getConversation", conversationId=talk["id"])
        assert found["contactId"] == contact["id"]
        mail = {"type": "Email", "subject": "Hi", "html": "<p>Hi</p>"}
        [sent] = await do("sendMessage", **here, **mail)
        [email] = await do("getEmail", id=sent["emailMessageId"])
        assert email["subject"] == "Hi"
        files = ["https://files.example.com/a.png"]
        await do("addMessageAttachments", messageId=sent["messageId"], attachments=files)
        for module, key, told in (
            ("cancelScheduledMessage", "messageId", "messageId"),
            ("cancelScheduledEmail", "emailMessageId", "emailMessageId"),
        ):
            [due] = await do(
                "sendMessage", **here, **mail, scheduledTimestamp="2027-01-15T08:00:00Z"
            )
            await do(module, **{key: due[told]})
        [rung] = await do(
            "addOutboundCall",
            conversationId=talk["id"],
            call={"to": "+12025550100", "status": "completed"},
        )
        [said] = await do("getTranscription", messageId=rung["messageId"])
        assert said
        assert await do("downloadTranscription", messageId=rung["messageId"])
        assert await do("downloadRecording", messageId=rung["messageId"])
        await do("showTyping", conversationId=talk["id"], visitorId="v1", isTyping=True)
        await do("deleteConversation", conversationId=talk["id"])

    play("highlevel", highlevel, story)


def test_tasks_notes_and_who_follows_a_contact() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        who = {"contactId": contact["id"]}
        [task] = await do("createTask", **who, title="Call", dueDate=AT["startTime"])
        [same] = await do("getTask", **who, taskId=task["id"])
        assert same["title"] == "Call"
        [note] = await do("createNote", **who, body="Hello")
        [same] = await do("getNote", **who, id=note["id"])
        assert same["body"] == "Hello"
        rule = {
            "intervalType": "weekly",
            "interval": 1,
            "startDate": AT["startTime"],
            "dueAfterSeconds": 3600,
        }
        [again] = await do("createRecurringTask", title="Weekly call", rruleOptions=rule)
        await do("updateRecurringTask", id=again["id"], title="Weekly talk")
        [found] = await do("getRecurringTask", id=again["id"])
        assert found["title"] == "Weekly talk"
        await do("deleteRecurringTask", id=again["id"])
        [user] = (await do("listUsers"))[:1]
        await do("addContactFollowers", **who, followers=[user["id"]])
        await do("removeContactFollowers", **who, followers=[user["id"]])
        [campaign] = await do("listCampaigns")
        await do("addContactToCampaign", **who, campaignId=campaign["id"])
        await do("removeContactFromCampaign", **who, campaignId=campaign["id"])
        [flow] = await do("listWorkflows")
        await do("addContactToWorkflow", **who, workflowId=flow["id"])
        await do("removeContactFromWorkflow", **who, workflowId=flow["id"])
        [answer] = await do("makeApiCall", url=f"/contacts/{contact['id']}")
        assert answer["body"]["contact"]["id"] == contact["id"]

    play("highlevel", highlevel, story)


def test_an_opportunity_and_its_followers() -> None:
    async def story(do: Do, _simulator: Simulator) -> None:
        [contact] = await do("searchContacts", limit=1)
        [pipeline] = await do("listPipelines")
        where = {"contactId": contact["id"], "pipelineId": pipeline["id"]}
        [made] = await do("createOpportunity", name="Deal", **where)
        [found] = await do("getOpportunity", id=made["id"])
        assert found["name"] == "Deal"
        assert [row["id"] for row in await do("pollNewOpportunities")] == [made["id"]]
        await do("addOpportunityFollowers", id=made["id"], followers=["u1"])
        await do("removeOpportunityFollowers", id=made["id"], followers=["u1"])
        await do("listLostReasons")

    play("highlevel", highlevel, story)


def test_what_a_location_is_set_up_with() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)
        [place] = await do("getLocation")
        assert place["id"] == simulator.location_id
        agency = simulator.credentials["company_id"]
        [company] = await do("getCompany", companyId=agency)
        assert company["id"] == agency
        [field] = await do("createCustomField", name="Shoe size", dataType="NUMERICAL")
        [renamed] = await do("updateCustomField", id=field["id"], name="Size")
        [found] = await do("getCustomField", id=field["id"])
        assert renamed["name"] == found["name"] == "Size"
        assert found["id"] in [row["id"] for row in await do("listCustomFields")]
        await do("deleteCustomField", id=field["id"])
        [value] = await do("createCustomValue", name="Hours", value="9 to 5")
        await do("updateCustomValue", id=value["id"], name="Hours", value="9 to 6")
        assert "9 to 6" in [row["value"] for row in await do("listCustomValues")]
        await do("deleteCustomValue", id=value["id"])
        [tag] = await do("createTag", name="Lead")
        assert (await do("getTag", tagId=tag["id"]))[0]["name"] == "lead"
        await do("deleteTag", tagId=tag["id"])
        [link] = await do("createLink", name="Shop", redirectTo="https://example.com")
        to = "https://example.com/shop"
        [moved] = await do("updateLink", linkId=link["id"], name="Shop", redirectTo=to)
        assert moved["redirectTo"] == to
        await do("deleteLink", linkId=link["id"])
        assert "UTC" in str(await do("listTimezones"))
        assert await do("listTemplates", originId="o1")
        assert await do("listFormSubmissions") == await do("listSurveySubmissions") == []

    play("highlevel", highlevel, story)


def test_users_are_found_changed_and_deleted() -> None:
    async def story(do: Do, simulator: Simulator) -> None:
        assert isinstance(simulator, HighLevelSimulator)
        [place] = await do("getLocation")
        agency = {"companyId": place["companyId"]}
        [user] = await do(
            "createUser",
            **agency,
            firstName="Al",
            lastName="B",
            email="al@example.com",
            password="secret-1",
            type="account",
            role="user",
            locationIds=[simulator.location_id],
        )
        await do("updateUser", userId=user["id"], lastName="Bo")
        assert (await do("getUser", userId=user["id"]))[0]["lastName"] == "Bo"
        assert user["id"] in [row["id"] for row in await do("searchUsers", **agency, query="Bo")]
        [found] = await do("findUsersByEmail", **agency, emails=["al@example.com"])
        assert found["id"] == user["id"]
        await do("deleteUser", userId=user["id"])

    play("highlevel", highlevel, story)
