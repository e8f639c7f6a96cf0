"""What HighLevel's connector promises: the 126 core actions and triggers by hand, the contact
endpoints with every field of the specification, and a template for each errand.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from junctor.connectors.highlevel import generated, highlevel
from junctor.connectors.highlevel.event_types import FAMILIES
from junctor.language.connector import Response
from junctor.language.forms import bind, schema_of, slots_of
from tests.support import shared_dir

CORE: dict[str, tuple[str, str]] = {
    "contacts": (
        """
        createContact upsertContact getContact updateContact deleteContact searchContacts
        findDuplicateContact listContactsByBusiness listContacts
        """,
        "ContactCreate ContactUpdate ContactDelete ContactDndUpdate ContactTagUpdate",
    ),
    "tasks": (
        "listTasks createTask getTask updateTask deleteTask setTaskCompleted",
        "TaskCreate TaskComplete TaskDelete",
    ),
    "notes": (
        "listNotes createNote getNote updateNote deleteNote",
        "NoteCreate NoteUpdate NoteDelete",
    ),
    "tags, bulk, followers": (
        """
        addTags removeTags updateTagsInBulk setBusinessInBulk addContactFollowers
        removeContactFollowers
        """,
        "",
    ),
    "campaigns, workflows, appointments": (
        """
        addContactToCampaign removeContactFromCampaign removeContactFromAllCampaigns
        addContactToWorkflow removeContactFromWorkflow listContactAppointments
        """,
        "CampaignStatusUpdate",
    ),
    "opportunities": (
        """
        createOpportunity upsertOpportunity getOpportunity updateOpportunity
        setOpportunityStatus deleteOpportunity searchOpportunities searchOpportunitiesAdvanced
        listPipelines listLostReasons addOpportunityFollowers removeOpportunityFollowers
        """,
        """
        OpportunityCreate OpportunityUpdate OpportunityDelete OpportunityStageUpdate
        OpportunityStatusUpdate OpportunityAssignedToUpdate OpportunityMonetaryValueUpdate
        """,
    ),
    "calendars": (
        """
        listCalendars createCalendar getCalendar updateCalendar deleteCalendar getFreeTimes
        listCalendarGroups createCalendarGroup updateCalendarGroup deleteCalendarGroup
        setCalendarGroupStatus checkCalendarGroupSlug createAppointment updateAppointment
        getAppointment deleteEvent listAppointments createBlockedTime updateBlockedTime
        listBlockedTimes listAppointmentNotes createAppointmentNote updateAppointmentNote
        deleteAppointmentNote
        """,
        "AppointmentCreate AppointmentUpdate AppointmentDelete",
    ),
    "conversations": (
        """
        searchConversations getConversation createConversation updateConversation
        deleteConversation listMessages getMessage sendMessage addInboundMessage
        addOutboundCall setMessageStatus addMessageAttachments exportMessages
        cancelScheduledMessage cancelScheduledEmail downloadRecording getTranscription
        downloadTranscription
        """,
        "InboundMessage OutboundMessage ConversationUnreadWebhook",
    ),
    "businesses": (
        "listBusinesses createBusiness getBusiness updateBusiness deleteBusiness",
        "",
    ),
    "users": ("listUsers getUser createUser updateUser deleteUser", "UserCreate"),
    "any": ("makeApiCall watchEvents pollNewContacts pollUpdatedContacts", ""),
}
"""By resource: modules, and events of instant triggers."""
PICKED = {
    "userId", "assignedTo", "assignedUserId", "followers", "pipelineId", "pipelineStageId",
    "calendarId", "groupId", "campaignId", "workflowId", "businessId", "lostReasonId", "tags",
    "locationId", "contactId", "formId", "surveyId", "userIds", "owners", "tagId", "linkId",
}  # fmt: skip
"""Fields that are pick-lists wherever a module made by hand has them."""
NO_PICK = {
    # Wants several, in a filter of contacts that may be found by text as well.
    ("searchTasks", "contactId"), ("searchConversations", "contactId"),
    ("searchOpportunities", "contactId"), ("listCalendars", "groupId"),
}  # fmt: skip
CONTACTS = {
    "GET /contacts/{contactId}": "getContact",
    "GET /contacts/{contactId}/tasks": "listTasks",
    "GET /contacts/{contactId}/tasks/{taskId}": "getTask",
    "GET /contacts/{contactId}/notes": "listNotes",
    "GET /contacts/{contactId}/notes/{id}": "getNote",
    "GET /contacts/{contactId}/appointments": "listContactAppointments",
    "GET /contacts/": "listContacts",
    "GET /contacts/business/{businessId}": "listContactsByBusiness",
    "POST /contacts/": "createContact",
    "PUT /contacts/{contactId}": "updateContact",
    "DELETE /contacts/{contactId}": "deleteContact",
    "POST /contacts/{contactId}/tasks": "createTask",
    "PUT /contacts/{contactId}/tasks/{taskId}": "updateTask",
    "PUT /contacts/{contactId}/tasks/{taskId}/completed": "setTaskCompleted",
    "DELETE /contacts/{contactId}/tasks/{taskId}": "deleteTask",
    "POST /contacts/{contactId}/tags": "addTags",
    "POST /contacts/{contactId}/notes": "createNote",
    "POST /contacts/upsert": "upsertContact",
}
"""The seed's seventeen endpoints, and the one that its first errand needs."""
PAGED = {"skip", "startAfter", "startAfterId"}
"""Parameters that *Limit* stands for."""
EXAMPLES = Path(__file__).parents[3] / "examples"
ERRANDS = {
    "toky-contacts-to-highlevel": ("toky:watchContacts", "upsertContact", "addTags"),
    "missed-call-to-task": ("toky:watchNewCalls", "upsertContact", "createTask"),
    "call-to-note": ("toky:watch", "upsertContact", "createNote"),
    "voicemail-to-note": ("toky:watchNewVoicemails", "upsertContact", "createNote"),
    "text-message-to-note": ("toky:watchNewTextMessages", "upsertContact", "createNote"),
    "text-message-to-appointment": ("toky:watchNewTextMessages", "createAppointment"),
    "highlevel-contacts-to-toky": ("highlevel:watch", "toky:createContact", "toky:updateContact"),
}


def test_the_core_has_its_size() -> None:
    """As many as the seed counts; the other operations come on top."""
    modules = [name for names, _ in CORE.values() for name in names.split()]
    events = [name for _, names in CORE.values() for name in names.split()]
    assert len(modules) + len(events) == 126
    assert len(set(modules)) == len(modules)


@pytest.mark.parametrize("group", CORE)
def test_the_core_is_made_by_hand(group: str) -> None:
    modules, events = CORE[group]
    for name in modules.split():
        module = highlevel.modules[name]
        assert not module.generated, name
        assert module.label
        assert module.help
        for key, field in schema_of(module)["properties"].items():
            assert field.get("title"), f"{name}.{key} has no label"
    watched = {event for family in FAMILIES for event in family.events}
    assert set(events.split()) <= watched


def test_what_an_account_has_is_picked_from_it() -> None:
    without = set()
    for module in highlevel.modules.values():
        if module.generated or module.hook is not None:
            continue
        for slot in slots_of(module.function):
            if slot.key in PICKED and slot.field.options is None:
                without.add((module.name, slot.key))
    assert without <= NO_PICK


def test_stages_are_those_of_the_pipeline() -> None:
    rows = [{"id": n, "name": n, "stages": [{"id": n + "1", "name": "New"}]} for n in ("p", "q")]
    for given, expected in (({}, ["p1", "q1"]), ({"pipelineId": "q"}, ["q1"])):
        module = highlevel.modules["listPipelineStages"]
        flow = module.function(**bind(module, given, {}))
        next(flow)
        with pytest.raises(StopIteration) as stop:
            flow.send(Response(200, {}, json.dumps({"pipelines": rows}).encode()))
        assert [row["id"] for row in stop.value.value] == expected
        assert stop.value.value[-1]["fullName"] == "q: New"


def test_stages_are_shown_with_their_pipeline() -> None:
    field = schema_of(highlevel.modules["createOpportunity"])["properties"]["pipelineStageId"]
    assert "highlevel:listPipelineStages" in json.dumps(field)
    assert "fullName" in json.dumps(field)


@cache
def document(name: str) -> Any:
    return json.loads(shared_dir("specs", "highlevel", "apps", *name.split("/")).read_text())


def inside(found: Any, part: Any) -> Any:
    while isinstance(part, dict) and "$ref" in part:
        part = found["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return part


@pytest.mark.parametrize("endpoint", CONTACTS)
def test_a_contact_endpoint_has_every_field_of_the_specification(endpoint: str) -> None:
    method, path = endpoint.split(" ")
    # What v3 has dropped is in the document of the dates.
    newest, older = document("v3/contacts-v3.json"), document("contacts.json")
    found = newest if method.lower() in newest["paths"].get(path, {}) else older
    operation = found["paths"][path][method.lower()]
    wanted = {each["name"] for each in operation.get("parameters", [])} - {"Version"}
    needed = {each["name"] for each in operation.get("parameters", []) if each.get("required")}
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        shape = inside(found, body)
        wanted |= set(shape["properties"])
        needed |= set(shape.get("required", ()))
    slots = {slot.key: slot for slot in slots_of(highlevel.modules[CONTACTS[endpoint]].function)}
    assert wanted - PAGED <= set(slots)
    # The connection knows the location, and a new task is not completed.
    for key in needed - {"Version", "locationId", "completed"}:
        assert slots[key].required, key
    assert (method, path) in generated.BY_FUNCTIONS | {
        (row["method"], row["path"]) for row in generated.operations()
    }


@pytest.mark.parametrize("name", ERRANDS)
def test_every_errand_has_a_template_with_tests(name: str) -> None:
    blueprint = json.loads((EXAMPLES / f"{name}.blueprint.json").read_text())
    placed: list[dict[str, Any]] = []
    flows = [blueprint["flow"]]
    while flows:
        for module in flows.pop():
            placed.append(module)
            flows += [route["flow"] for route in module.get("routes", [])]
    used = [module["module"] for module in placed]
    for wanted in ERRANDS[name]:
        assert any(wanted in module for module in used), wanted
    cases = json.loads((EXAMPLES / f"{name}.test.json").read_text())["cases"]
    assert len(cases) >= 2
    if name == "missed-call-to-task":
        [task] = [module for module in placed if module["module"] == "highlevel:createTask"]
        assert {"dueDate", "assignedTo"} <= set(task["mapper"])
