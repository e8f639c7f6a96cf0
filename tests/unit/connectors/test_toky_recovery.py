"""Toky: what was missed, whether what was sent was done, and which contacts have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from junctor.connectors.toky import modules, toky
from junctor.connectors.toky.recovery import CONTACT_CREATED, MESSAGE_SENT, call_event, rows_since
from junctor.errors import DataError
from junctor.language.connector import Delivery, Request, Response
from junctor.language.polling import fresh

SINCE = datetime(2026, 3, 2, 9, 0, 0, 400_000, UTC)


def page(*rows: Any, after: str | None = None, status: int = 200) -> Response:
    body = {"count": len(rows), "next": after, "results": list(rows)}
    return Response(status, {}, msgspec.json.encode(body))


def play(flow: Any, *answers: Response) -> tuple[Any, list[Request]]:
    """What a flow gives, and what it asked."""
    asked = []
    given = iter(answers)
    try:
        request = next(flow)
        while True:
            asked.append(request)
            request = flow.send(next(given))
    except StopIteration as stop:
        return stop.value, asked


def call(callid: str, at: str = "2026-03-02 09:00:01", **more: Any) -> dict[str, Any]:
    row = {
        "callid": callid, "from": "+1202", "to_number": "+1303", "init_dt": at, "duration": "12",
        "direction": "inbound", "web_call": "no", "disposition_code": "200", "country": "US",
        "agent_id": "maya__example.com",
    }  # fmt: skip
    return {**row, **more}


def missed(name: str, *answers: Response) -> tuple[list[Any], list[Request]]:
    hook = toky.modules[name].hook
    assert hook is not None
    assert hook.backfill is not None
    return play(hook.backfill(SINCE, {}), *answers)


def keys(name: str, found: list[Any]) -> list[str | None]:
    """The dedup keys that the hook finds in what was missed."""
    hook = toky.modules[name].hook
    assert hook is not None
    return [
        hook.dedup(
            Delivery(
                id="", method="POST", query=(), headers={"content-type": "application/json"},
                body=msgspec.json.encode(each.body), received_at=SINCE,
            )
        )
        for each in found
    ]  # fmt: skip


def test_missed_calls_come_from_the_records_and_have_the_keys_of_the_hook() -> None:
    found, asked = missed(
        "watchNewCalls",
        page(call("a"), call("b", "2026-03-02 08:59:59"), after="…"),
        page(call("c", "2026-03-02 09:00:00", disposition_code="487")),
        page({"id": 7, "callid": "c", "created_at": "2026-03-02 09:00:00"}),
    )
    assert [request.query for request in asked] == [
        {"limit": "500", "filter": "(created_at >= 2026-03-01)", "offset": "0"},
        {"limit": "500", "filter": "(created_at >= 2026-03-01)", "offset": "2"},
        {"limit": "500", "offset": "0"},
    ]
    assert keys("watchNewCalls", found) == ["new_call:a", "new_call:c"]
    assert [each.body["state"] for each in found] == ["completed", "voicemail"]
    assert found[0].body["agent"] == "maya@example.com"


def test_a_voicemail_list_that_toky_refuses_leaves_a_missed_call() -> None:
    found, _ = missed("watchEndedCalls", page(call("a", disposition_code="487")), page(status=404))
    assert found[0].body["state"] == "missed"


@pytest.mark.parametrize(
    ("name", "callids"),
    [
        ("watchAnsweredCalls", ["a"]),
        ("watchEndedCalls", ["a", "b"]),
        ("watchOutboundCalls", ["c"]),
        ("watchEndedOutboundCalls", ["c"]),
        ("watchNewCalls", ["a", "b", "c"]),
    ],
)
def test_each_event_has_its_calls(name: str, callids: list[str]) -> None:
    rows = (
        call("a"),
        call("b", disposition_code="487"),
        call("c", direction="outbound", disposition_code="486"),
    )
    found, _ = missed(name, page(*rows), page())
    assert [each.body["callid"] for each in found] == callids


def test_an_outbound_call_that_nobody_took_is_unsuccessful() -> None:
    event = call_event(call("c", direction="outbound", disposition_code="486", duration=None))
    assert (event["state"], event["duration"]) == ("unsuccessful", 0)


def test_missed_messages_are_those_that_came_in() -> None:
    rows = [
        {"id": n, "from": "+1", "to": "+2", "text": "x", "date": "2026-03-02 09:01:00", **more}
        for n, more in enumerate([{"direction": "inbound"}, {"direction": "outbound"}, {}])
    ]
    found, _ = missed("watchNewTextMessages", page(*rows))
    assert [each.body["id"] for each in found] == [0, 2]
    assert found[0].body["from_number"] == "+1"
    assert "from" not in found[0].body


def test_reading_voicemails_ends_at_the_first_that_is_older() -> None:
    found, asked = missed(
        "watchNewVoicemails",
        page(
            {"id": 2, "callid": "b", "created_at": "2026-03-02T10:00:00+01:00", "from": "+1"},
            {"id": 1, "callid": "a", "created_at": "2026-03-01 09:00:00"},
            after="…",
        ),
    )
    assert len(asked) == 1
    assert keys("watchNewVoicemails", found) == ["new_voicemail:b"]


@pytest.mark.parametrize(
    "content", [b'{"results": 7}', b'"x"', b'{"results": [{"id": 1}]}', b'{"results": [8]}']
)
def test_a_list_that_cannot_be_read_is_an_error(content: bytes) -> None:
    with pytest.raises(DataError, match="/sms"):
        play(rows_since("GET", "/sms", SINCE, filtered=True), Response(200, {}, content))


MESSAGE = {"from_": "+1 (202)", "to": "+1303", "text": "Hello", "email": "a@b.c"}


def sent(at: str, **more: Any) -> dict[str, Any]:
    row = {"id": 9, "from": "+1202", "to": "+1303", "text": "Hello", "date": at}
    return {**row, "direction": "outbound", **more}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([sent("2026-03-02 09:00:02")], True),
        ([sent("2026-03-02 08:59:55")], True),
        ([sent("2026-03-02 08:59:40")], False),
        ([sent("2026-03-02 09:05:00")], False),
        ([sent("2026-03-02 09:00:02", text="Hello!")], False),
        ([sent("2026-03-02 09:00:02", direction="inbound")], False),
        ([sent("2026-03-02 09:00:02"), sent("2026-03-02 09:00:03", id=10)], None),
        ([], False),
    ],
)
def test_a_message_is_found_by_ends_text_and_time(rows: list[Any], said: bool | None) -> None:
    found, asked = play(MESSAGE_SENT.ask(MESSAGE, SINCE), page(*rows))
    assert found == ({"success": True, **rows[0]} if said else said)
    assert {request.method for request in asked} == {"GET"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(404, {}, b"{}"), False),
        (Response(500, {}, b"{}"), None),
        (Response(200, {}, b'{"phone":"+1","contact_name":"Ada L"}'), True),
        (Response(200, {}, b'{"phone":"+1","contact_name":"Grace"}'), None),
        (Response(200, {}, b'{"results":[]}'), None),
    ],
)
def test_a_contact_is_found_by_number_and_name(answer: Response, said: bool | None) -> None:
    given = {"phone": "+1", "first_name": "Ada", "last_name": "L"}
    found, _ = play(CONTACT_CREATED.ask(given, SINCE), answer)
    assert found == (answer.json() if said else said)


def test_a_contact_is_new_once_and_changed_when_it_is() -> None:
    new, any_ = (toky.modules[name].poll for name in ("watchNewContacts", "watchContacts"))
    assert new is not None
    assert any_ is not None
    ada = {"phone": "+1", "contact_name": "Ada", "last_call": "yesterday"}
    seen = {name: fresh([ada], None, poll)[1] for name, poll in (("new", new), ("any", any_))}
    assert fresh([{**ada, "last_call": "today"}], seen["any"], any_)[0] == []
    changed = [{**ada, "contact_name": "Ada L"}, {"phone": "+2"}]
    assert fresh(changed, seen["any"], any_)[0] == changed
    assert fresh(changed, seen["new"], new)[0] == [{"phone": "+2"}]


def test_a_recording_has_one_name() -> None:
    for body in (b'{"url":"u"}', b'{"record_url":"u"}', b'{"recording_url":"u"}', b'"u"'):
        found, _ = play(modules.get_recording("c"), Response(200, {}, body))
        assert found["recording_url"] == "u"
    assert play(modules.get_voicemail("1"), Response(200, {}, b"{}"))[0] == {"recording_url": ""}


def test_days_are_asked_for_as_documented() -> None:
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)
    request = modules.list_calls(date_from=since, date_to=until)
    assert request.query == {"filter": "(created_at >= 2026-03-01) AND (created_at <= 2026-03-02)"}
    assert modules.list_text_messages().query == {}
