"""Crisp: what was missed, and whether what was sent was done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from junctor.connectors.crisp import crisp, events
from junctor.connectors.crisp.dates import date_of, iso, milliseconds
from junctor.connectors.crisp.missed import LISTED
from junctor.connectors.crisp.probes import fingerprint_of
from junctor.connectors.crisp.reading import MOST_PAGES, conversations_since, messages_since
from junctor.errors import DataError, RateLimited, VendorRefused
from junctor.language.connector import Bundle, Delivery, Request, Response
from junctor.language.forms import bind

SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST = milliseconds(SINCE)
SESSION = "/website/{website}/conversation/s1"


def answer(data: Any, status: int = 200) -> Response:
    return Response(status, {}, msgspec.json.encode({"error": status >= 400, "data": data}))


def play(flow: Any, *answers: Response) -> tuple[Any, list[Request]]:
    """What a flow gives, and what it asked."""
    asked: list[Request] = []
    given = iter(answers)
    try:
        request = next(flow)
        while True:
            asked.append(request)
            request = flow.send(next(given))
    except StopIteration as stop:
        return stop.value, asked


def talk(session: str = "s1", *, created: int = -5, updated: int = 5, **more: Any) -> Bundle:
    row = {"website_id": "w1", "session_id": session, "inbox_id": None}
    return {**row, "created_at": FIRST + created, "updated_at": FIRST + updated, **more}


def message(number: int, at: int = 1, **more: Any) -> Bundle:
    row = {"fingerprint": number, "from": "user", "type": "text", "content": "Hi"}
    return {**row, "timestamp": FIRST + at, **more}


def person(name: str, *, created: int = 1, updated: int = 1) -> Bundle:
    return {
        "people_id": name,
        "email": f"{name}@example.com",
        "person": {"nickname": name},
        "created_at": FIRST + created,
        "updated_at": FIRST + updated,
    }


def missed(
    name: str, settings: dict[str, Any], *answers: Response
) -> tuple[list[Any], list[Request]]:
    hook = crisp.modules[name].hook
    assert hook is not None
    assert hook.backfill is not None
    return play(hook.backfill(SINCE, settings), *answers)


def keys(found: list[Any]) -> list[str | None]:
    """The dedup keys that the hooks find in what was missed."""
    return [
        events.dedup(
            Delivery(
                id="",
                method="POST",
                query=(),
                headers={},
                body=msgspec.json.encode(each.body),
                received_at=SINCE,
            )
        )
        for each in found
    ]


# What was missed.


def test_messages_are_read_back_to_the_moment_in_conversations_updated_since() -> None:
    operators = message(3, 9, **{"from": "operator"})
    found, asked = missed(
        "watchMessages",
        {"events": ["message:send", "message:received"]},
        answer([talk(), talk("s2", updated=-1), talk("s3")]),
        answer([message(2, 5), operators]),
        answer([message(1, -1), message(2, 5)]),
        answer(None, 404),
    )
    assert [(request.url, dict(request.query)) for request in asked] == [
        (
            "/website/{website}/conversations/1",
            {"per_page": 50, "filter_date_start": iso(SINCE), "order_date_updated": 1},
        ),
        (f"{SESSION}/messages", {}),
        (f"{SESSION}/messages", {"timestamp_before": FIRST + 6}),
        ("/website/{website}/conversation/s3/messages", {}),
    ]
    assert keys(found) == ["message:send:s1:2", "message:received:s1:3"]
    assert [each.at for each in found] == [SINCE + timedelta(milliseconds=n) for n in (5, 9)]
    assert found[0].body["data"] == {
        "website_id": "w1",
        "session_id": "s1",
        "inbox_id": None,
        "mentions": None,
        "origin": None,
        "user": None,
        **message(2, 5),
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [1, 3]),
        ({"events": ["message:received"]}, [2]),
        ({"types": ["file"]}, [3]),
        ({"events": ["message:updated"]}, None),
    ],
)
def test_only_what_the_trigger_watches_is_listed(
    settings: dict[str, Any], expected: list[int] | None
) -> None:
    rows = [message(1), message(2, 2, **{"from": "operator"}), message(3, 3, type="file")]
    answers = (answer([talk()]), answer(rows), answer([]))
    found, asked = missed("watchMessages", settings, *answers)
    assert [each.body["data"]["fingerprint"] for each in found] == (expected or [])
    assert bool(asked) is (expected is not None)


def test_a_conversation_begins_with_its_first_message() -> None:
    found, _ = missed(
        "watchConversations",
        {"website_id": "w1"},
        answer([talk("new", created=2), talk("old"), talk("woken"), talk("touched")]),
        answer([message(1, 3)]),
        answer([]),
        answer([message(2)]),
        answer([]),
        answer([message(9, -99)]),
        answer([message(3, 2)]),
        answer([]),
        answer([]),
        answer([message(8, -99)]),
    )
    assert keys(found) == ["session:request:initiated:new", "session:request:initiated:woken"]
    assert found[0].at == SINCE + timedelta(milliseconds=3)
    assert missed("watchConversations", {"events": ["session:set_state"]})[0] == []


def test_people_are_found_by_when_they_were_created_and_changed() -> None:
    changed = person("b", created=-9, updated=4)
    found, asked = missed(
        "watchPeople",
        {},
        answer([person("a")]),
        answer([changed, person("a"), person("c", created=-9, updated=-9)]),
        answer({"website_id": "w1"}),
    )
    assert [dict(request.query).get("sort_field") for request in asked] == [
        "created_at",
        "updated_at",
        None,
    ]
    assert keys(found) == [
        "people:profile:created:a",
        f"people:profile:updated:b:{FIRST + 4}",
    ]
    assert found[1].body["website_id"] == "w1"
    assert found[1].body["data"]["update"] == {"person": {"nickname": "b"}, "updated_at": FIRST + 4}
    with pytest.raises(DataError, match="ID of the website"):
        missed("watchPeople", {"events": [LISTED[3]]}, answer([person("a")]), answer([]))


def test_a_list_of_people_is_only_believed_to_be_sorted_as_long_as_it_is() -> None:
    old = [person(f"o{n}", created=-100 - n) for n in range(20)]
    wanted = {"events": ["people:profile:created"], "website_id": "w1"}
    found, asked = missed("watchPeople", wanted, answer(old))
    assert (found, len(asked)) == ([], 1)
    mixed = [*old[:5], person("n"), *old[5:]]
    found, asked = missed("watchPeople", wanted, answer(mixed), answer([person("m")]))
    assert [each.body["data"]["people_id"] for each in found] == ["n", "m"]


def test_all_that_can_be_listed_is_there_for_a_trigger_of_any_event() -> None:
    found, _ = missed(
        "watchEvents",
        {"website_id": "w1"},
        answer([talk(created=1)]),
        answer([message(1)]),
        answer([]),
        answer([person("a")]),
        answer([person("a", updated=3)]),
    )
    assert {each.body["event"] for each in found} == {*LISTED} - {"message:received"}


def test_lists_that_do_not_end_or_are_none_or_are_refused_are_errors() -> None:
    page = answer([talk()] * 20)
    with pytest.raises(DataError, match="does not end"):
        play(conversations_since("", SINCE), *[page] * MOST_PAGES)
    with pytest.raises(DataError, match="no list of messages"):
        play(messages_since("", "s1", SINCE), answer([7]))
    with pytest.raises(RateLimited):
        play(messages_since("", "s1", SINCE), answer(None, 420))
    with pytest.raises(VendorRefused):
        play(messages_since("", "s1", SINCE), answer(None, 400))
    assert play(conversations_since("", SINCE), answer(None))[0] == []


def test_an_instant_is_a_number_of_milliseconds() -> None:
    assert date_of(FIRST) == SINCE
    assert [date_of(each) for each in (None, True, "1", -1, 2**60)] == [None] * 5


# Whether it was done.


def probed(name: str, given: dict[str, Any], *answers: Response, key: str = "ab" * 32) -> Any:
    """What a module's probe says, and what it asked."""
    module = crisp.modules[name]
    arguments = bind(module, given, {})
    if module.handle is not None:
        arguments = dict(module.handle(arguments, key))
    assert module.probe is not None
    return play(module.probe.ask(arguments, SINCE), *answers)


MESSAGE = {"session_id": "s1", "content": "Hello"}
FINGERPRINT = 0xABABABABABAB
SENT: dict[str, Any] = {"fingerprint": 5, "from": "operator", "type": "text", "content": "Hello"}


def test_a_message_carries_a_number_of_its_operation_unless_the_user_gave_one() -> None:
    assert fingerprint_of("ab" * 32) == FINGERPRINT
    assert fingerprint_of("f" * 64) < 2**53
    for name, given in (("sendMessage", MESSAGE), ("startConversation", {"text": "Hi"})):
        module = crisp.modules[name]
        assert module.handle is not None
        assert module.handle(bind(module, given, {}), "ab" * 32)["fingerprint"] == FINGERPRINT
        own = bind(module, {**given, "fingerprint": 0}, {})
        assert module.handle(own, "ab" * 32)["fingerprint"] == 0


@pytest.mark.parametrize(
    ("given", "answers", "said"),
    [
        ({}, [answer(message(FINGERPRINT))], {"fingerprint": FINGERPRINT}),
        ({"fingerprint": 7}, [answer(message(7))], {"fingerprint": 7}),
        # Its number is that of another day's message.
        ({"fingerprint": 7}, [answer(message(7, -86_400_000))], None),
        (
            {"fingerprint": 7, "timestamp": SINCE - timedelta(days=1)},
            [answer(message(7, -86_400_000))],
            {"fingerprint": 7},
        ),
        ({}, [answer(None, 404), answer([])], False),
        ({}, [answer(None, 404), answer(None, 404)], False),
        ({}, [answer(None, 404), answer([message(5, content="Other")]), answer([])], False),
        # Perhaps Crisp numbered it otherwise.
        ({}, [answer(None, 404), answer([message(5, **SENT)]), answer([])], None),
        (
            {"type": "event", "namespace": "n"},
            [answer(None, 404), answer([message(5, **{**SENT, "type": "event"})]), answer([])],
            None,
        ),
        ({}, [answer(None, 500)], None),
    ],
)
def test_a_message_is_looked_for_by_its_number(
    given: dict[str, Any], answers: list[Response], said: Any
) -> None:
    found, asked = probed("sendMessage", {**MESSAGE, **given}, *answers)
    assert found == said
    assert asked[0].url == f"{SESSION}/message/{given.get('fingerprint', FINGERPRINT)}"
    assert {request.method for request in asked} == {"GET"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [([], False), ([talk(created=-86_400_000)], False), ([talk(created=3)], None)],
)
def test_of_an_empty_conversation_only_a_no_can_be_told(rows: list[Bundle], said: Any) -> None:
    found, [request] = probed("createConversation", {}, answer(rows))
    assert found is said
    assert dict(request.query)["include_empty"] == 1


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([message(FINGERPRINT)], {"session_id": "s1", "fingerprint": FINGERPRINT}),
        ([], None),
        ([message(5, content="Hello")], None),
        ([message(5, content="Another's")], False),
    ],
)
def test_a_started_conversation_is_known_by_its_first_message(
    messages: list[Bundle], said: Any
) -> None:
    listed = (answer([talk(created=1)]), answer(messages), answer([]))
    assert probed("startConversation", {"text": "Hello"}, *listed)[0] == said
    assert probed("startConversation", {"text": "Hello"}, answer([]))[0] is False
    pages = [[talk(f"s{page}-{n}", created=1) for n in range(50)] for page in range(3)]
    many = [answer(page) for page in pages]
    assert probed("startConversation", {"text": "Hello"}, *many, answer([]))[0] is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (answer(None, 404), False),
        (answer(None, 500), None),
        (answer(person("p")), {"people_id": "p"}),
        (answer({**person("p"), "person": {"nickname": "Bob"}}), None),
        (answer({"people_id": "p"}), None),
        (answer(person("p", created=-86_400_000)), False),
    ],
)
def test_a_profile_is_looked_for_by_its_address(found: Response, said: Any) -> None:
    given = {"email": "p@example.com", "full_name": "p"}
    result, [request] = probed("addPeopleProfile", given, found)
    assert result == said
    assert request.url.endswith("/people/profile/p%40example.com")


EVENT = {"people_id": "p", "text": "Paid", "data": {"n": 1}}
PAID = {"text": "Paid", "data": {"n": 1}, "timestamp": FIRST}
DONE = {"error": False, "reason": "added"}


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([answer([])], False),
        ([answer(None, 404)], False),
        ([answer(None, 403)], None),
        ([answer([PAID, {"text": "Old", "timestamp": 1}])], DONE),
        ([answer([PAID, {**PAID, "timestamp": FIRST - 1}]), answer([])], None),
        ([answer([{**PAID, "data": {"n": "1"}}]), answer([])], None),
        ([answer([{**PAID, "text": "Other"}]), answer([])], False),
        # Not the newest first: read on.
        ([answer([{"text": "Old", "timestamp": 1}, PAID]), answer([])], DONE),
        ([answer([{"text": "x", "timestamp": FIRST + n}]) for n in range(20)], None),
    ],
)
def test_an_event_is_looked_for_by_what_it_says(pages: list[Response], said: Any) -> None:
    found, asked = probed("addPeopleEvent", EVENT, *pages)
    assert found == said
    assert len(asked) == len(pages)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer(None, 404)], False),
        (
            [answer(None), answer([{"website_id": "w", "domain": "e.test", "name": "E"}])],
            {"website_id": "w"},
        ),
        ([answer(None), answer({"website_id": "w", "domain": "e.test", "name": "F"}), answer([])],
         None),
        ([answer(None), answer([])], None),
        ([answer(None, 401), answer(None, 401)], None),
    ],
)  # fmt: skip
def test_a_website_is_looked_for_by_its_domain(answers: list[Response], said: Any) -> None:
    assert probed("createWebsite", {"name": "E", "domain": "e.test"}, *answers)[0] == said


UNPROBED = {
    "scheduleReminder": "Crisp has no route that lists reminders.",
    "makeApiCall": "What it sends is anybody's guess.",
}
"""Modules made by hand whose effect is *once* and can't be looked for, and why."""


def test_what_must_not_be_done_twice_can_be_looked_for_or_says_why_not() -> None:
    once = {m.name for m in crisp.modules.values() if m.effect == "once" and not m.generated}
    probes = {name for name in once if crisp.modules[name].probe is not None}
    assert once - probes == {name for name in UNPROBED if name in once}
    assert len(probes) == 6
