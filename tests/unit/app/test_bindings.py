"""Which connections a blueprint's modules get."""

from __future__ import annotations

from uuid import UUID

from junctor.app.bindings import Thing, needs_of
from junctor.app.choosing import choose
from junctor.language.blueprint import load
from junctor.runtime.registry import Registry

REGISTRY = Registry.load()


def needs(*modules: str) -> list[str]:
    flow = [
        {"id": number, "module": module, "version": 1, "mapper": {}}
        for number, module in enumerate(modules, 1)
    ]
    imported = load({"name": "x", "flow": flow, "metadata": {}})
    return [
        need.name
        for need in needs_of(imported, REGISTRY.find, REGISTRY.connector)
        if need.kind == "connection"
    ]


def test_a_trigger_that_registers_nothing_needs_no_connection() -> None:
    assert needs("highlevel:watchEvents", "highlevel:addTags") == ["highlevel:addTags"]
    assert needs("toky:watchNewCalls") == ["toky:watchNewCalls"]


def test_a_connection_that_was_refused_is_the_last_choice() -> None:
    flow = [{"id": 1, "module": "toky:listAgents", "version": 1, "mapper": {}}]
    imported = load({"name": "x", "flow": flow, "metadata": {}})
    found = needs_of(imported, REGISTRY.find, REGISTRY.connector)
    bad = Thing("connection", UUID(int=1), "Bad", "toky", refused=True)
    good = Thing("connection", UUID(int=2), "Good", "toky")
    assert choose(found, [bad, good]).bindings == {"connections": {"1": str(good.id)}}
    assert choose(found, [bad]).bindings == {"connections": {"1": str(bad.id)}}
