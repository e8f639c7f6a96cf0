"""Bad input and bad days, for each vendor: every module's error is clear and does no harm.

Each case runs a scenario of one module through the driver and the real transport against the
vendor's double. Asserted are the class of the error, whose it is (the labels of connector and
module), the field or the vendor's own words, how often the vendor was asked, and whether the
connection is marked for reconnection; it is never deleted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from junctor.adapters.transport import AiohttpTransport
from junctor.connectors.crisp import crisp
from junctor.connectors.highlevel import highlevel
from junctor.connectors.signalwire import signalwire
from junctor.connectors.toky import toky
from junctor.engine.journal import Tag
from junctor.language.connector import Connector
from junctor.language.forms import build, slots_of
from junctor.language.scenario import Module
from junctor.ports.transport import Transport
from junctor.runtime.accounts import Account, Accounts
from junctor.runtime.recorder import Recorder
from junctor.simulators import make
from junctor.simulators.faults import Fault, Match
from junctor.simulators.kit import Simulator, running
from tests.support import asynchronous, pass_time
from tests.unit.runtime.drive_kit import OK, ORGANIZATION, Bench

CONNECTION = UUID(int=9)
PATIENCE = 3600.0
"""Seconds after which a request has been given up; it is 40 and more."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A module of a vendor, filled in."""

    module: str
    mapper: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """What the matrix needs to know of a vendor."""

    connector: Connector
    read: Place
    once: Place
    wrong_key: Mapping[str, str]
    """What is changed in a good account."""
    key_words: str
    """What the vendor says to that."""
    scope: tuple[int, str] | None
    """Its refusal of a token that may not; ``None``: its keys have no scopes."""
    unknown: Place
    unknown_words: str
    phone: Place
    phone_field: str
    too_long: Place | None
    """A text over its published limit, which the module itself refuses; ``None``: it has none."""
    too_long_words: str = ""


def _to(place: Place, **changes: Any) -> Place:
    return replace(place, mapper={**place.mapper, **changes})


_SMS = Place(
    module="createTextMessage",
    mapper={"from": "+12025550199", "to": "+12025550142", "text": "Hi", "email": "a@example.com"},
)
_MESSAGE = Place(
    module="createMessage", mapper={"from": "+12025550199", "to": "+12025550142", "body": "Hi"}
)
_PERSON = Place(module="addPeopleProfile", mapper={"email": "new@example.com"})
_CONTACT = Place(module="createContact", mapper={"firstName": "Ada"})

VENDORS: dict[str, Vendor] = {
    "toky": Vendor(
        connector=toky,
        read=Place(module="listAgents"),
        once=_SMS,
        wrong_key={"api_key": "wrong-key-000000"},
        key_words="The API key is missing or not valid",
        scope=None,
        unknown=Place(module="getVoicemail", mapper={"voicemailId": "nobody"}),
        unknown_words="No voicemail has the id nobody",
        phone=Place(module="getContact", mapper={"phone": "call me"}),
        phone_field="phone",
        too_long=None,
    ),
    "signalwire": Vendor(
        connector=signalwire,
        read=Place(module="searchCalls"),
        once=_MESSAGE,
        wrong_key={"api_token": "PTwrong-token-0000"},
        key_words="The project id or token is not valid",
        scope=(403, "Your token does not have the Messaging scope"),
        unknown=Place(module="getCall", mapper={"callSid": "00000000-0000-0000-0000-000000000000"}),
        unknown_words="not found",
        phone=_to(_MESSAGE, to="+12"),
        phone_field="to",
        too_long=_to(_MESSAGE, body="x" * 1601),
        too_long_words="'body': the text has 1,601 characters; SignalWire takes 1,600",
    ),
    "crisp": Vendor(
        connector=crisp,
        read=Place(module="searchConversations"),
        once=_PERSON,
        wrong_key={"key": "wrong-key-000000"},
        key_words="invalid_session",
        scope=(403, "not_allowed"),
        unknown=Place(module="getConversation", mapper={"session_id": "session_nobody"}),
        unknown_words="invalid_session",
        phone=_to(_PERSON, phone="call me"),
        phone_field="phone",
        too_long=None,
    ),
    "highlevel": Vendor(
        connector=highlevel,
        read=Place(module="listTags"),
        once=_CONTACT,
        wrong_key={"token": "pit-wrong-token"},
        key_words="Invalid token",
        scope=(401, "The token is not authorized for this scope."),
        unknown=Place(module="getContact", mapper={"contactId": "nobody"}),
        unknown_words="Contact not found: nobody",
        phone=_to(_CONTACT, phone="call me"),
        phone_field="phone",
        too_long=None,
    ),
}

each_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)


class Kept:
    """The table of connections, as far as requests touch it. It has no way to delete one."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    async def note(self, *_rows: Any, **_more: Any) -> None:
        """Requests are recorded elsewhere's tests."""

    async def mark_broken(self, _organization: UUID, connection: UUID, reason: str) -> None:
        assert connection == CONNECTION
        self.broken.append(reason)


class Opened(Accounts):
    """One connection that is not in a database, without budgets to wait for."""

    def __init__(self, transport: Transport, account: Account, kept: Kept) -> None:
        super().__init__(
            None,  # type: ignore[arg-type]  # no database here
            vault=None,  # type: ignore[arg-type]  # nor secrets in one
            transport=transport,
            connector={account.connector.name: account.connector}.get,
        )
        self.recorder = Recorder(kept, every=3600)  # type: ignore[arg-type]  # as much as is asked
        self._account = account

    async def get(self, organization_id: UUID, connection_id: UUID) -> Account:
        assert (organization_id, connection_id) == (ORGANIZATION, CONNECTION)
        return self._account


async def silent(_seconds: float) -> None:
    """How a simulator sleeps here: for so long that its client has given up."""
    pass_time(PATIENCE)
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Seen:
    """What came of a run."""

    state: str
    error: dict[str, Any]
    """The first failure; empty if there was none."""
    asked: int
    """Requests that reached the vendor."""
    marked: list[str]
    slept: list[float]
    whole: str
    """Everything durable of the run, as text."""


async def play(
    vendor: Vendor,
    place: Place,
    *faults: Fault,
    changed: Mapping[str, str] | None = None,
    down: bool = False,
) -> Seen:
    """A run of one module. ``changed``: of the account; ``down``: nobody listens."""
    connector = vendor.connector
    async with AsyncExitStack() as stack:
        simulator: Simulator = await stack.enter_async_context(
            running(make(connector.name, seed=7))
        )
        base = simulator.base_url
        simulator.clock._sleep = silent
        if down:
            await stack.aclose()
        definition = next(iter(connector.connections.values()))
        definition = replace(definition, budgets=())
        known = {slot.key for slot in slots_of(definition.form)}
        given = {key: text for key, text in simulator.credentials.items() if key in known}
        account = Account(
            connector,
            definition,
            base,
            build(definition.form, {**given, **(changed or {})}),
            organization_id=ORGANIZATION,
            connection_id=CONNECTION,
        )
        for fault in faults:
            simulator.faults.add(fault)
        transport = await stack.enter_async_context(AiohttpTransport([urlsplit(base).netloc]))
        kept = Kept()
        accounts = Opened(transport, account, kept)
        bench = Bench(
            Module(
                id=2, module=f"{connector.name}:{place.module}", mapper=place.mapper, path="flow[2]"
            ),
            handler=lambda _: OK,
            connectors={connector.name: connector},
            transport=transport,
            accounts=lambda _: accounts,
            bindings={"connections": {"2": str(CONNECTION)}},
        )
        flight = await bench.run()
        await accounts.recorder.flush()
        await accounts.close()
        await stack.aclose()
        failed = bench.records(Tag.FAILED, 2)
        return Seen(
            state=str(flight.state),
            error=failed[0][5] if failed else {},
            asked=simulator.journal.total,
            marked=kept.broken,
            slept=bench.slept,
            whole=json.dumps([bench.row.error, failed], default=repr),
        )


def told(seen: Seen, vendor: Vendor, place: Place, code: str, *words: str) -> None:
    """The error is of this code, says whose it is, and has these words."""
    error = seen.error
    assert error, f"nothing failed: {seen}"
    module = vendor.connector.modules[place.module]
    assert error["code"] == code, error
    assert error["message"].startswith(f"{vendor.connector.label}, {module.label}: "), error
    assert error["params"]["connector"] == vendor.connector.label
    assert error["params"]["module"] == module.label
    for each in words:
        assert each in error["message"], (each, error["message"])


def status(code: int, message: str, **more: Any) -> Fault:
    return Fault(kind="status", status=code, message=message, times=None, **more)


# The account


@each_vendor
@asynchronous
async def test_a_wrong_key_marks_the_connection(vendor: Vendor) -> None:
    for place in (vendor.read, vendor.once):
        seen = await play(vendor, place, changed=vendor.wrong_key)
        told(seen, vendor, place, "reconnect", vendor.key_words, "401")
        assert seen.asked == 1
        (marked,) = seen.marked
        assert vendor.key_words in marked
        for secret in vendor.wrong_key.values():
            assert secret not in seen.whole + marked


@pytest.mark.parametrize(
    "vendor",
    [each for each in VENDORS.values() if each.scope],
    ids=lambda each: each.connector.name,
)
@asynchronous
async def test_a_missing_scope_marks_the_connection(vendor: Vendor) -> None:
    assert vendor.scope is not None
    code, words = vendor.scope
    for place in (vendor.read, vendor.once):
        seen = await play(vendor, place, status(code, words))
        told(seen, vendor, place, "reconnect", words.rstrip("."), str(code))
        assert (seen.asked, len(seen.marked)) == (1, 1)


@each_vendor
@pytest.mark.parametrize("words", ["The token has expired", "The token was revoked"])
@asynchronous
async def test_an_ended_token_marks_the_connection(vendor: Vendor, words: str) -> None:
    seen = await play(vendor, vendor.once, status(401, words))
    told(seen, vendor, vendor.once, "reconnect", "401")
    if vendor.connector is not crisp:  # its only words are its codes
        assert words in seen.error["message"]
        assert words in seen.marked[0]
    assert (seen.asked, len(seen.marked)) == (1, 1)


# The data


@each_vendor
@asynchronous
async def test_an_unknown_id_is_told_in_the_vendors_words(vendor: Vendor) -> None:
    seen = await play(vendor, vendor.unknown)
    told(seen, vendor, vendor.unknown, "vendor_refused", vendor.unknown_words, "404")
    assert (seen.asked, seen.marked, seen.slept) == (1, [], [])


@each_vendor
@asynchronous
async def test_an_invalid_phone_number_never_leaves(vendor: Vendor) -> None:
    seen = await play(vendor, vendor.phone)
    value = vendor.phone.mapper[vendor.phone_field]
    words = (f"'{vendor.phone_field}'", repr(value), "write it with its country code")
    told(seen, vendor, vendor.phone, "bundle_invalid", *words)
    assert seen.error["params"]["field"] == vendor.phone_field
    assert (seen.asked, seen.marked, seen.slept) == (0, [], [])


@each_vendor
@asynchronous
async def test_a_body_over_the_limit_is_refused_once(vendor: Vendor) -> None:
    seen = await play(vendor, vendor.once, status(413, "Payload too large"))
    told(seen, vendor, vendor.once, "vendor_refused", "413")
    assert (seen.asked, seen.marked, seen.slept) == (1, [], [])
    if vendor.too_long is not None:
        seen = await play(vendor, vendor.too_long)
        told(seen, vendor, vendor.too_long, "bundle_invalid", vendor.too_long_words)
        assert (seen.asked, seen.marked, seen.slept) == (0, [], [])


# The vendor's bad days


@each_vendor
@asynchronous
async def test_a_vendor_that_is_down_is_tried_again(vendor: Vendor) -> None:
    for place in (vendor.read, vendor.once):
        seen = await play(vendor, place, down=True)
        told(seen, vendor, place, "not_sent", "127.0.0.1", "Nothing was sent")
        assert seen.slept, "what was not sent may be sent again"
        assert (seen.asked, seen.marked) == (0, [])


@each_vendor
@asynchronous
async def test_a_refusal_for_now_is_waited_for(vendor: Vendor) -> None:
    for place in (vendor.read, vendor.once):
        fault = Fault(kind="rate_limit", retry_after=7, message="Too many requests")
        seen = await play(vendor, place, fault)
        told(seen, vendor, place, "rate_limited", "refused for now")
        assert seen.slept[0] >= 7
        assert (seen.asked > 1, seen.marked) == (True, [])


UNKNOWN: Sequence[tuple[str, Fault, str]] = [
    ("500", Fault(kind="status", status=500, message="Out of order"), "500"),
    ("slow", Fault(kind="hang", seconds=30), "no complete answer within"),
    ("cut", Fault(kind="cut_after"), "127.0.0.1"),
    ("garbage", Fault(kind="garbage", garbage="wire"), "127.0.0.1"),
]


@each_vendor
@pytest.mark.parametrize(
    ("fault", "words"), [row[1:] for row in UNKNOWN], ids=[r[0] for r in UNKNOWN]
)
@asynchronous
async def test_a_lost_outcome_is_never_repeated_by_itself(
    vendor: Vendor, fault: Fault, words: str
) -> None:
    seen = await play(vendor, vendor.once, replaced(fault))
    told(seen, vendor, vendor.once, "uncertain", words)
    assert (seen.state, seen.asked, seen.marked, seen.slept) == ("uncertain", 1, [], [])

    seen = await play(vendor, vendor.read, replaced(fault))
    if fault.kind != "cut_after":  # after a clean cut the client itself repeats what only reads
        told(seen, vendor, vendor.read, "vendor_unavailable", words)
    assert (seen.state, seen.asked, seen.marked) == ("finished", 2, [])


def replaced(fault: Fault) -> Fault:
    """A new one: a simulator counts in it."""
    return Fault(
        kind=fault.kind,
        status=fault.status,
        message=fault.message,
        seconds=fault.seconds,
        garbage=fault.garbage,
        match=Match(),
    )


@each_vendor
@asynchronous
async def test_an_answer_of_the_wrong_type_says_what_it_is(vendor: Vendor) -> None:
    fault = Fault(kind="garbage", garbage="body")
    words = ("not valid JSON", "<html>")
    seen = await play(vendor, vendor.once, replaced(fault))
    told(seen, vendor, vendor.once, "uncertain", "The vendor acted", *words)
    assert (seen.state, seen.asked, seen.marked, seen.slept) == ("uncertain", 1, [], [])

    seen = await play(vendor, vendor.read, replaced(fault))
    told(seen, vendor, vendor.read, "data", *words)
    assert (seen.asked, seen.marked, seen.slept) == (1, [], [])
