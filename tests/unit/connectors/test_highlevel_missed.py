"""HighLevel: what was missed, as rows of its lists, has the keys of the events themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from junctor.connectors.highlevel import highlevel
from junctor.connectors.highlevel.event_types import EVENTS
from junctor.connectors.highlevel.missed import FETCHED, backfill, occurrence
from junctor.connectors.highlevel.since import contacts_since, opportunities_since
from junctor.errors import DataError, VendorRefused
from junctor.language.connector import Missed, Request, Response

SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)
BEFORE, AFTER, LATER = (
    "2026-03-01T09:00:00.000Z",
    "2026-03-02T09:00:01.000Z",
    "2026-03-02T10:00:00Z",
)
Lists = Mapping[str, Any]


def answer(request: Request, lists: Lists) -> Response:
    """The list of that path, or its refusal."""
    content = lists.get(urlsplit(request.url).path, {})
    status = content if isinstance(content, int) else 200
    return Response(status, {}, json.dumps({} if status != 200 else content).encode())


def play(flow: Any, lists: Lists) -> tuple[Any, list[Request]]:
    asked = []
    try:
        request = next(flow)
        while True:
            asked.append(request)
            response = answer(request, lists)
            if request.raises and response.status >= 300:
                raise VendorRefused(status=response.status, reason="no")
            request = flow.send(response)
    except StopIteration as stop:
        return stop.value, asked


def missed(name: str, lists: Lists, **settings: Any) -> list[Missed]:
    hook = highlevel.modules[name].hook
    assert hook is not None
    assert hook.backfill is not None
    found: list[Missed] = play(hook.backfill(SINCE, settings), lists)[0]
    return found


def told(found: list[Missed]) -> list[tuple[str, str | None]]:
    """Event and key of each, as the hook would find it."""
    return [(each.body["type"], each.key or occurrence(each.body)) for each in found]


CONTACTS = {
    "contacts": [
        {"id": "c", "type": "lead", "dateAdded": BEFORE, "dateUpdated": LATER},
        {"id": "b", "type": "lead", "dateAdded": AFTER, "dateUpdated": LATER, "locationId": "loc"},
        {"id": "a", "type": "lead", "dateAdded": AFTER, "dateUpdated": AFTER},
        {"id": "old", "type": "lead", "dateAdded": BEFORE, "dateUpdated": BEFORE},
    ]
}
LISTS: Lists = {
    "/contacts/search": CONTACTS,
    "/locations/{location}/tasks/search": {
        "tasks": [
            {"_id": "t", "dateAdded": AFTER, "title": "Call"},
            {"id": "u", "dateAdded": BEFORE, "title": "Old"},
            {"id": "v", "title": "Undated"},
        ]
    },
    "/contacts/a/notes": {"notes": [{"id": "n", "body": "Hi", "dateAdded": AFTER}]},
    "/contacts/b/notes": {"notes": [{"id": "m", "body": "Old", "dateAdded": BEFORE}]},
    "/contacts/c/notes": 404,
    "/calendars/": {"calendars": [{"id": "k"}]},
    "/calendars/events": {
        "events": [
            {"id": "x", "dateAdded": AFTER, "dateUpdated": AFTER},
            {"id": "y", "dateAdded": BEFORE, "dateUpdated": LATER},
            {"id": "z", "dateAdded": BEFORE, "dateUpdated": BEFORE},
        ]
    },
    "/opportunities/search": {
        "opportunities": [{"id": "o", "createdAt": AFTER}, {"id": "p", "createdAt": BEFORE}]
    },
    "/conversations/messages/export": {
        "messages": [
            {"id": "i", "type": 2, "messageType": "TYPE_SMS", "direction": "inbound"},
            {"id": "j", "messageType": "TYPE_CALL", "direction": "outbound"},
            {"id": "k", "messageType": "TYPE_ACTIVITY_OPPORTUNITY", "direction": "outbound"},
        ]
    },
}
for _row in LISTS["/conversations/messages/export"]["messages"]:
    _row["dateAdded"] = AFTER


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "watchContacts",
            [
                ("ContactUpdate", "ContactUpdate:c:2026-03-02T10:00:00.000Z"),
                ("ContactCreate", "ContactCreate:b"),
                ("ContactUpdate", "ContactUpdate:b:2026-03-02T10:00:00.000Z"),
                ("ContactCreate", "ContactCreate:a"),
            ],
        ),
        ("watchTasks", [("TaskCreate", "TaskCreate:t")]),
        ("watchNotes", [("NoteCreate", "NoteCreate:n")]),
        (
            "watchAppointments",
            [
                ("AppointmentCreate", "AppointmentCreate:x"),
                ("AppointmentUpdate", "AppointmentUpdate:y:2026-03-02T10:00:00.000Z"),
            ],
        ),
        ("watchOpportunities", [("OpportunityCreate", "OpportunityCreate:o")]),
        (
            "watchMessages",
            [("InboundMessage", "InboundMessage:i"), ("OutboundMessage", "OutboundMessage:j")],
        ),
    ],
)
def test_rows_become_events_with_the_keys_of_events(name: str, expected: list[Any]) -> None:
    found = missed(name, LISTS)
    assert told(found) == expected
    assert {each.at.tzinfo for each in found} == {UTC}
    module = highlevel.modules["watchEvents"]
    everything = missed("watchEvents", LISTS)
    assert set(expected) <= set(told(everything))
    assert module.hook is not None


def test_only_the_chosen_events_of_the_app_and_the_location_are_made() -> None:
    chosen = {"types": ["ContactCreate"], "client_id": "app1-xyz", "location_id": "here"}
    flow = highlevel.modules["watchEvents"].hook
    assert flow is not None
    assert flow.backfill is not None
    found, asked = play(flow.backfill(SINCE, chosen), LISTS)
    assert [each.body["id"] for each in found] == ["b", "a"]
    assert [each.body["locationId"] for each in found] == ["loc", "here"]
    assert {each.body["appId"] for each in found} == {"app1"}
    assert [(request.url, request.json["locationId"]) for request in asked] == [
        ("/contacts/search", "here")
    ]
    assert asked[0].json["sort"] == [{"field": "dateAdded", "direction": "desc"}]


def test_a_trigger_for_all_leaves_out_what_its_connection_may_not_read() -> None:
    shut = {**LISTS, "/conversations/messages/export": 401, "/calendars/": 403}
    kinds = {each.body["type"] for each in missed("watchEvents", shut)}
    assert kinds == {
        "ContactCreate",
        "ContactUpdate",
        "TaskCreate",
        "NoteCreate",
        "OpportunityCreate",
    }
    with pytest.raises(VendorRefused):
        missed("watchMessages", shut)
    with pytest.raises(VendorRefused):
        missed("watchEvents", dict.fromkeys(LISTS, 401))
    with pytest.raises(VendorRefused):
        missed("watchEvents", {**LISTS, "/calendars/": 500})


def test_triggers_whose_events_no_list_tells_have_no_repair() -> None:
    assert set(EVENTS) >= FETCHED
    assert backfill(("InvoicePaid",)) is None
    able = {
        module.name
        for module in highlevel.modules.values()
        if module.hook is not None and module.hook.backfill is not None
    }
    assert able == {
        "watchEvents", "watchContacts", "watchTasks", "watchNotes", "watchAppointments",
        "watchOpportunities", "watchMessages",
    }  # fmt: skip


def test_what_names_nothing_is_known_by_the_vendors_number() -> None:
    for event, key in (
        ({"type": "ContactUpdate", "id": "c", "webhookId": "w"}, "w"),
        ({"type": "ContactCreate", "webhookId": "w"}, "w"),
        ({"type": "OpportunityStageUpdate", "id": "o", "webhookId": "w"}, "w"),
        ({"type": "AppointmentCreate", "appointment": {"id": "a"}, "webhookId": "w"}, "w"),
        ({"type": "ContactCreate"}, None),
        ({"type": "ContactCreate", "id": "c", "webhookId": "w"}, "ContactCreate:c"),
    ):
        assert occurrence(event) == key


def test_a_change_that_is_called_a_creation_is_a_change() -> None:
    """The vendor's own examples of AppointmentUpdate say AppointmentCreate."""
    inner = {"id": "a", "dateAdded": BEFORE, "dateUpdated": LATER}
    event = {"type": "AppointmentCreate", "appointment": inner, "webhookId": "w"}
    assert occurrence(event) == "AppointmentUpdate:a:2026-03-02T10:00:00.000Z"


def test_a_list_that_does_not_end_is_an_error() -> None:
    row = {"id": "c", "dateAdded": AFTER, "searchAfter": [1]}
    page = json.dumps({"contacts": [row] * 100}).encode()
    flow = contacts_since("dateAdded", SINCE)
    next(flow)
    flow.send(Response(200, {}, page))
    with pytest.raises(DataError, match="next page repeats"):
        flow.send(Response(200, {}, page))
    deal = {"opportunities": [{"id": "o", "createdAt": AFTER}] * 100}
    more = opportunities_since(SINCE)
    next(more)
    meta = {"meta": {"startAfter": 1, "startAfterId": "o"}}
    again = more.send(Response(200, {}, json.dumps({**deal, **meta}).encode()))
    assert dict(again.query)["startAfterId"] == "o"
    with pytest.raises(DataError, match="next page repeats"):
        more.send(Response(200, {}, json.dumps({**deal, **meta}).encode()))


def test_pages_are_read_until_they_are_old() -> None:
    rows = [{"id": n, "createdAt": AFTER} for n in range(100)]
    flow = opportunities_since(SINCE, "here", pipelineId="p")
    first = next(flow)
    assert dict(parse_qsl("&".join(f"{k}={v}" for k, v in dict(first.query).items()))) == {
        "locationId": "here", "limit": "100", "order": "added_desc", "pipelineId": "p",
    }  # fmt: skip
    meta = {"meta": {"startAfter": 1, "startAfterId": 99}, "opportunities": rows}
    flow.send(Response(200, {}, json.dumps(meta).encode()))
    last = {**meta, "opportunities": [{"id": "z", "createdAt": BEFORE}]}
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(200, {}, json.dumps(last).encode()))
    assert [row["id"] for row in stop.value.value] == list(range(100))
