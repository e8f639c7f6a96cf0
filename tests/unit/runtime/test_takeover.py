"""A number that is set up for a trigger, and gets back what handled it before."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

import msgspec
import pytest

from junctor.connectors.signalwire import signalwire
from junctor.errors import NotSent
from junctor.language.connector import Request, Response
from junctor.runtime.registrations import Registrations
from tests.support import run
from tests.unit.runtime.registered import CONNECTION, ORG, Rows

TOKEN = "0123456789abcdef0123456789abcdef"
URL = f"https://us.example/hook/{TOKEN}"
BEFORE = {
    "number": "+12025550142",
    "call_handler": "laml_webhooks",
    "call_request_url": "https://ivr.example/",
    "call_request_method": "GET",
    "call_fallback_url": None,
    "call_status_callback_url": "https://log.example/",
    "call_receive_mode": "voice",
}


class World(Rows):
    """A project with two numbers, and our rows."""

    def __init__(self, **hook: Any) -> None:
        self.numbers: dict[str, dict[str, Any]] = {"n1": dict(BEFORE), "n2": dict(BEFORE)}
        mine = {"connector": "signalwire", "kind": "watchCalls", "settings": {"number": "n1"}}
        super().__init__(TOKEN, **{**mine, **hook})
        self.lost = False
        self.sent: list[str] = []
        self.registrations = Registrations(
            self,
            self,
            module=lambda name: signalwire.modules.get(name.partition(":")[2]),
            connector=lambda _: signalwire,
            public_url="https://us.example",
        )

    async def send(self, organization_id: UUID, connection_id: UUID, request: Request) -> Response:
        assert (organization_id, connection_id) == (ORG, CONNECTION)
        name = request.url.rpartition("/")[2]
        self.sent.append(f"{request.method} {name}")
        number = self.numbers.get(name)
        if number is None:
            return Response(404, {}, b'{"error":"Not Found"}')
        if request.method == "PUT":
            number |= {key: value or None for key, value in request.json.items()}
            if self.lost:
                raise NotSent(host="example", reason=f"lost on the way to {URL}")
        return Response(200, {}, msgspec.json.encode(number))

    def reconcile(self, **change: Any) -> list[str]:
        self.hook = dataclasses.replace(self.hook, **change)
        self.sent.clear()
        run(self.registrations.reconcile(self.hook))
        return list(self.sent)


def test_a_number_is_taken_and_given_back() -> None:
    world = World()
    assert world.reconcile() == ["GET n1", "PUT n1"]
    taken = world.numbers["n1"]
    assert taken["call_request_url"] == URL
    assert taken["call_fallback_url"] == f"{URL}?fallback=1"
    assert taken["call_status_callback_url"] == "https://log.example/"
    assert world.reconcile() == ["GET n1", "PUT n1"]  # again, and what was there is not forgotten
    world.active = False
    assert world.reconcile() == ["GET n1", "PUT n1"]
    assert world.numbers["n1"] == {**BEFORE, "call_fallback_method": "POST"}
    assert (world.hook.registration, world.hook.registration_error) == (None, None)
    assert world.reconcile() == []


def test_what_was_there_is_noted_before_it_is_taken() -> None:
    world = World()
    world.lost = True
    world.reconcile()
    assert world.numbers["n1"]["call_request_url"] == URL
    assert world.hook.registration is not None
    assert "https://ivr.example/" in world.hook.registration["before"]
    assert TOKEN not in str(world.hook.registration_error)
    world.lost, world.active = False, False
    world.reconcile()
    assert world.numbers["n1"]["call_request_url"] == "https://ivr.example/"


def test_another_number_is_taken_and_the_first_given_back() -> None:
    world = World()
    world.reconcile()
    world.reconcile(settings={"number": "n2"})
    assert world.numbers["n1"]["call_request_url"] == "https://ivr.example/"
    assert world.numbers["n2"]["call_request_url"] == URL
    world.reconcile(settings={})
    assert world.numbers["n2"]["call_request_url"] == "https://ivr.example/"


def test_what_somebody_else_has_put_in_stays() -> None:
    world = World()
    world.reconcile()
    world.numbers["n1"]["call_request_url"] = "https://new.example/"
    world.active = False
    assert world.reconcile() == ["GET n1"]
    assert world.numbers["n1"]["call_request_url"] == "https://new.example/"
    assert world.hook.registration is None


def test_a_number_that_is_gone_is_no_trouble() -> None:
    world = World()
    world.reconcile()
    del world.numbers["n1"]
    world.active = False
    assert world.reconcile() == ["GET n1"]
    assert (world.hook.registration, world.hook.registration_error) == (None, None)


def test_an_older_address_of_ours_is_replaced_and_not_kept() -> None:
    world = World()
    world.reconcile()
    world.numbers["n1"]["call_request_url"] = f"https://old.example/hook/{TOKEN}"
    world.reconcile()
    assert world.numbers["n1"]["call_request_url"] == URL
    world.active = False
    world.reconcile()
    assert world.numbers["n1"]["call_request_url"] == "https://ivr.example/"


def test_a_handler_that_could_not_be_put_back_is_left_alone() -> None:
    world = World()
    world.numbers["n1"]["call_handler"] = "ai_agent"
    assert world.reconcile() == ["GET n1"]
    assert "ai_agent" in str(world.hook.registration_error)
    assert world.numbers["n1"]["call_request_url"] == "https://ivr.example/"


@pytest.mark.parametrize("connection", [None, CONNECTION])
def test_without_a_number_nothing_is_asked(connection: UUID | None) -> None:
    world = World(settings={}, connection_id=connection)
    assert world.reconcile() == []
    assert world.hook.registration_error is None


def test_a_number_needs_a_connection() -> None:
    world = World(connection_id=None)
    assert world.reconcile() == []
    assert "has no connection" in str(world.hook.registration_error)
