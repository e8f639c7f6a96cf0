from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from junctor.errors import NotSent
from junctor.language.connector import (
    Connector,
    Delivery,
    HookDef,
    ModuleDef,
    Registration,
    Request,
    Response,
)
from junctor.runtime.registrations import Registrations
from junctor.runtime.registry import Registry
from junctor.testing.transport import FakeTransport
from tests.support import run
from tests.unit.runtime.registered import CONNECTION, ORG, Rows

TOKEN = "0123456789abcdef0123456789abcdef"
URL = f"https://us.example/hook/{TOKEN}"

vendor = Connector(name="vendor", label="Vendor")


def verify(_delivery: Delivery, _settings: Any) -> None:
    pass


@vendor.instant(
    "Watch calls",
    hook=HookDef(
        verify=verify,
        register=Registration(
            event="new_call",
            create=lambda url: Request("POST", "/hooks", json={"url": url, "event": "new_call"}),
            created=lambda response: str(response.json()["id"]),
            listing=lambda: Request("GET", "/hooks"),
            listed=lambda response: [(r["id"], r["url"], r["event"]) for r in response.json()],
            delete=lambda vendor_id: Request("DELETE", f"/hooks/{vendor_id}"),
        ),
    ),
)
def new_call(delivery: Delivery) -> list[Any]:
    return [delivery.json()]


@vendor.instant("By hand", hook=HookDef(verify=verify))
def by_hand(delivery: Delivery) -> list[Any]:
    return [delivery.json()]


class World(Rows):
    """A vendor with registrations, and our two rows."""

    def __init__(self, *rows: tuple[str, str, str], active: bool = True, **hook: Any) -> None:
        super().__init__(TOKEN, **{"connector": "vendor", "kind": "newCall", **hook})
        self.rows = {row[0]: row for row in rows}
        self.active = active
        self.failing: JunctorFailure = {}
        self.transport = FakeTransport(self.answer)
        self.registrations = Registrations(
            self,
            self,
            module=lambda name: vendor.modules.get(name.partition(":")[2]),
            connector=lambda _: vendor,
            public_url="https://us.example/",
        )

    def answer(self, request: Request) -> Response:
        failure = self.failing.get(request.method)
        if isinstance(failure, Response):
            return failure
        if request.method == "GET":
            rows = [dict(zip(("id", "url", "event"), r, strict=True)) for r in self.rows.values()]
            return Response(200, {}, msgspec.json.encode(rows))
        if request.method == "DELETE":
            gone = self.rows.pop(request.url.rpartition("/")[2], None)
            return Response(204 if gone else 404, {}, b"")
        id_ = f"new{len(self.rows)}"
        self.rows[id_] = (id_, request.json["url"], request.json["event"])
        if failure is not None:  # it was done, but the answer is lost
            raise failure
        return Response(201, {}, msgspec.json.encode({"id": id_}))

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        assert (organization_id, connection_id) == (ORG, CONNECTION)
        return await self.transport.send(request)

    def reconcile(self) -> list[str]:
        """The methods sent."""
        before = len(self.transport.sent)
        run(self.registrations.reconcile(self.hook))
        return [request.method for request in self.transport.sent[before:]]


JunctorFailure = dict[str, Response | Exception]
OTHERS = ("theirs", "https://us.example/hook/ffff", "new_call")


def known(vendor_id: str) -> dict[str, str]:
    return {"id": vendor_id, "url": URL, "event": "new_call"}


def test_a_missing_registration_is_made_once() -> None:
    world = World(OTHERS)
    assert world.reconcile() == ["GET", "POST"]
    assert world.hook.registration == known("new1")
    assert world.reconcile() == ["GET"]
    assert world.noted == [(known("new1"), None)]
    assert set(world.rows) == {"theirs", "new1"}


@pytest.mark.parametrize("event", ["new_call", ""])
def test_an_existing_one_is_adopted(event: str) -> None:
    world = World(OTHERS, ("7", URL, event))
    assert world.reconcile() == ["GET"]
    assert world.hook.registration == known("7")


def test_one_whose_answer_was_lost_is_found_again() -> None:
    world = World()
    world.failing = {"POST": NotSent(host="vendor", reason=f"lost on the way to {URL}")}
    assert world.reconcile() == ["GET", "POST"]
    registration, error = world.noted[-1]
    assert registration is None
    assert error is not None
    assert "Could not reach vendor" in error
    assert TOKEN not in error
    world.failing = {}
    assert world.reconcile() == ["GET"]
    assert (world.hook.registration, world.hook.registration_error) == (known("new0"), None)


def test_the_stored_one_is_preferred_and_strays_go() -> None:
    world = World(
        OTHERS,
        ("1", URL, "new_call"),
        ("2", URL, "new_call"),
        ("3", f"https://old.example/hook/{TOKEN}", "new_call"),
        ("4", URL, "other_event"),
        registration=known("2"),
    )
    assert world.reconcile() == ["GET", "DELETE", "DELETE", "DELETE"]
    assert set(world.rows) == {"theirs", "2"}
    assert world.noted == []


@pytest.mark.parametrize(
    "change",
    [{"active": False}, {"enabled": False}, {"scenario_id": None}, {"scenario_id": ORG}],
)
def test_what_is_not_wanted_is_removed(change: dict[str, Any]) -> None:
    world = World(OTHERS, ("7", URL, "new_call"), registration=known("7"), **change)
    assert world.reconcile() == ["GET", "DELETE"]
    assert set(world.rows) == {"theirs"}
    assert world.noted == [(None, None)]
    assert world.reconcile() == ["GET"]


def test_one_that_is_gone_already_is_no_failure() -> None:
    world = World(("7", URL, "new_call"), active=False, registration=known("7"))
    world.failing = {"DELETE": Response(404, {}, b"")}
    world.reconcile()
    assert world.noted == [(None, None)]


def test_a_refusal_is_noted_and_what_was_known_kept() -> None:
    world = World(registration=known("7"))
    world.failing = {"GET": Response(401, {}, b"no")}
    assert world.reconcile() == ["GET"]
    registration, error = world.noted[-1]
    assert registration == known("7")
    assert error is not None
    assert "401" in error
    assert world.reconcile() == ["GET"]
    assert len(world.noted) == 1


@pytest.mark.parametrize("body", [b"<h1>Maintenance</h1>", b'{"error": "later"}', b"[{}]", b"[7]"])
def test_an_answer_that_can_not_be_read_is_noted_too(body: bytes) -> None:
    """Not raised: `junctor up` would end over it, with all that it runs."""
    world = World()
    world.failing["GET"] = Response(200, {}, body)
    after = run(world.registrations.reconcile(world.hook))
    assert after.registration is None
    assert after.registration_error
    assert world.rows == {}


def test_without_a_connection_it_says_what_to_do() -> None:
    world = World(connection_id=None)
    assert world.reconcile() == []
    assert "choose one, and activate" in str(world.hook.registration_error)
    idle = World(connection_id=None, active=False)
    assert idle.reconcile() == []
    assert idle.noted == []


def test_a_trigger_that_is_set_up_by_hand_is_left_alone() -> None:
    assert World(kind="byHand").reconcile() == []
    assert World(kind="unknown").reconcile() == []


def test_a_mailhook_has_a_mail_address() -> None:
    world = World(connector="gateway", kind="CustomMailHook")
    registrations = Registrations(
        world,
        world,
        module=gateway_module,
        connector=lambda _: vendor,
        public_url="https://us.example",
        mail_host="hooks.example",
    )
    assert registrations.url(world.hook) == f"{TOKEN}@hooks.example"


def gateway_module(name: str) -> ModuleDef | None:
    """Ours, by its id."""
    return Registry.load().find(name)
