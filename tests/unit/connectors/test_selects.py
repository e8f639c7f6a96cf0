"""Every field that the older editors of these modules let a user select is a pick-list here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from junctor.language.forms import schema_of
from junctor.language.picklists import find
from junctor.runtime.registry import Registry

REGISTRY = Registry.load()
CALL = (
    "callIdentifier",
    "applicationSid",
    "fallbackMethod",
    "machineDetection",
    "method",
    "record",
    "recordingChannels",
    "recordingStatusCallbackEvent[]",
    "recordingStatusCallbackMethod",
    "statusCallbackEvent[]",
    "statusCallbackMethod",
    "trim",
)
FLAGS = (
    "include_empty",
    "filter_unread",
    "filter_resolved",
    "filter_not_resolved",
    "filter_mention",
    "filter_unassigned",
)
FIXED: Mapping[str, tuple[str, ...]] = {
    "toky:makeApiCall": ("method",),
    "signalwire:searchCalls": ("startTimeType", "endTimeType", "status"),
    "signalwire:createCall": tuple(name for name in CALL if name != "applicationSid"),
    "signalwire:updateCall": tuple(name for name in CALL if name != "applicationSid"),
    "signalwire:searchMessages": ("dateSentType", "status"),
    "signalwire:createMessage": ("contentType",),
    "signalwire:makeApiCall": ("method",),
    "crisp:searchConversations": ("search_type", *FLAGS),
    "crisp:sendMessage": ("type", "from", "origin", "user_type", "original_type", "translated"),
    "crisp:editMessage": ("type",),
    "crisp:addPeopleProfile": ("gender",),
    "crisp:updatePeopleProfile": ("gender",),
    "crisp:listPeopleProfiles": ("sort_order",),
    "crisp:makeApiCall": ("method",),
    "highlevel:createTask": ("completed",),
    "highlevel:createAppointment": ("appointmentStatus",),
    "highlevel:makeApiCall": ("method",),
}
"""What is chosen from a list that is the same for everybody, by module."""
OWN: Mapping[str, Mapping[str, str]] = {
    "toky:getContact": {"phone": "listContacts"},
    "toky:updateContact": {"phone": "listContacts"},
    "toky:createContact": {"createdBy": "listAgents"},
    "toky:createTextMessage": {"from": "listAgents", "to": "listContacts", "email": "listAgents"},
    "toky:getVoicemail": {"voicemailId": "listVoicemails"},
    "signalwire:searchCalls": {"from": "listNumbers", "to": "listNumbers"},
    "signalwire:getCall": {"callSid": "searchCalls"},
    "signalwire:createCall": {"applicationSid": "listApplications", "from": "listNumbers"},
    "signalwire:updateCall": {"callSid": "searchCalls", "applicationSid": "listApplications"},
    "signalwire:deleteCall": {"callSid": "searchCalls"},
    "signalwire:searchMessages": {"from": "listNumbers", "to": "listNumbers"},
    "signalwire:getMessage": {"messageSid": "searchMessages"},
    "signalwire:createMessage": {
        "from": "listNumbers",
        "applicationSid": "listApplications",
        "messageServiceSid": "listNumberGroups",
    },
    "signalwire:clearMessageBody": {"messageSid": "searchMessages"},
    "signalwire:deleteMessage": {"messageSid": "searchMessages"},
    "crisp:searchConversations": {"filter_assigned": "listOperators"},
    "crisp:removeConversation": {"session_id": "searchConversations"},
    "crisp:listMessages": {"session_id": "searchConversations"},
    "crisp:sendMessage": {"session_id": "searchConversations", "mentions[]": "listOperators"},
    "crisp:getMessage": {"session_id": "searchConversations", "fingerprint": "listMessages"},
    "crisp:editMessage": {"session_id": "searchConversations", "fingerprint": "listMessages"},
    "crisp:addPeopleProfile": {"segments[]": "listPeopleSegments"},
    "crisp:updatePeopleProfile": {"people_id": "listPeopleProfiles"},
    "crisp:removePeopleProfile": {"people_id": "listPeopleProfiles"},
    "highlevel:getContact": {"contactId": "searchContacts"},
    "highlevel:createTask": {"contactId": "searchContacts", "assignedTo": "listUsers"},
    "highlevel:createNote": {"contactId": "searchContacts"},
    "highlevel:addTags": {"tags": "listTags"},
    "highlevel:createContact": {"tags": "listTags", "customFields[].id": "listCustomFields"},
    "highlevel:listContactsByBusiness": {"businessId": "listBusinesses"},
    "highlevel:createAppointment": {
        "calendarId": "listCalendars",
        "contactId": "searchContacts",
        "startTime": "listFreeTimes",
    },
    "highlevel:createOpportunity": {
        "pipelineId": "listPipelines",
        "pipelineStageId": "listPipelineStages",
    },
}
"""What is chosen from the user's own account, by module: the field, and the search behind it."""


def field(module: str, path: str) -> Mapping[str, Any]:
    definition = REGISTRY.find(module)
    assert definition is not None, f"there is no {module}"
    return find(schema_of(definition), path, of=module).schema


@pytest.mark.parametrize(
    ("module", "path"), [(module, path) for module, paths in FIXED.items() for path in paths]
)
def test_what_is_the_same_for_everybody_is_shown(module: str, path: str) -> None:
    found = field(module, path)
    shown = [found, *found.get("anyOf", ())]
    assert any("enum" in each or each.get("type") == "boolean" for each in shown), found


@pytest.mark.parametrize(
    ("module", "path", "search"),
    [(module, path, search) for module, rows in OWN.items() for path, search in rows.items()],
)
def test_what_is_in_the_account_is_asked_for(module: str, path: str, search: str) -> None:
    found = field(module, path)["x-options"]
    assert found["module"] == f"{module.partition(':')[0]}:{search}"
