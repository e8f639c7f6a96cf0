"""What a blueprint's modules are bound to."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import pytest

from junctor.app.bindings import Kind, Need, Thing, needs_of, wants_of
from junctor.app.choosing import choose
from junctor.errors import Misconfigured, NotFound
from junctor.language.blueprint import load
from junctor.language.blueprint_structure import fields_of
from junctor.language.connector import Connector, ModuleDef
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
        if need.kind == "connection" and need.required
    ]


def test_a_trigger_that_registers_nothing_needs_no_connection() -> None:
    assert needs("highlevel:watchEvents", "highlevel:addTags") == ["highlevel:addTags"]
    assert needs("toky:watchNewCalls") == ["toky:watchNewCalls"]


def test_a_trigger_fed_by_an_apps_address_may_have_a_connection_by_that_app() -> None:
    flow = [{"id": 1, "module": "highlevel:watchEvents", "version": 1, "mapper": {}}]
    imported = load({"name": "x", "flow": flow, "metadata": {}})
    found = needs_of(imported, REGISTRY.find, REGISTRY.connector)
    (need,) = (need for need in found if need.kind == "connection")
    assert (need.required, need.prefers) == (False, "oauth")
    token = Thing("connection", UUID(int=1), "Token", "highlevel", sort="private_integration")
    app = Thing("connection", UUID(int=2), "Web app", "highlevel", sort="oauth")
    assert choose([need], [token]).bindings == {"connections": {"1": str(token.id)}}
    assert choose([need], [token, app]).bindings == {"connections": {"1": str(app.id)}}


def test_a_connection_that_was_refused_is_the_last_choice() -> None:
    flow = [{"id": 1, "module": "toky:listAgents", "version": 1, "mapper": {}}]
    imported = load({"name": "x", "flow": flow, "metadata": {}})
    found = needs_of(imported, REGISTRY.find, REGISTRY.connector)
    bad = Thing("connection", UUID(int=1), "Bad", "toky", refused=True)
    good = Thing("connection", UUID(int=2), "Good", "toky")
    assert choose(found, [bad, good]).bindings == {"connections": {"1": str(good.id)}}
    assert choose(found, [bad]).bindings == {"connections": {"1": str(bad.id)}}


def step(number: int, name: str, value: object = None, label: str = "", **rest: Any) -> Any:
    """A module with a connection as exports have it."""
    restore = {"parameters": {"__IMTCONN__": {"label": label}}} if label else {}
    form = [{"name": "__IMTCONN__", "type": "account:crm", "required": True}]
    return {
        "id": number,
        "module": name,
        "parameters": {} if value is None else {"__IMTCONN__": value},
        "mapper": {},
        "metadata": {"restore": restore, "parameters": form},
        **rest,
    }


def store(number: int, value: int, label: str) -> Any:
    return {
        "id": number,
        "module": "datastore:AddRecord",
        "parameters": {"datastore": value},
        "mapper": {},
        "metadata": {
            "restore": {"parameters": {"datastore": {"label": label}}},
            "parameters": [{"name": "datastore", "type": "datastore", "required": True}],
        },
    }


TOKY = REGISTRY.connector("toky")
assert TOKY is not None
CRM = Connector(name="crm", label="CRM", connections={"crm": TOKY.connections["toky"]})
DEFS = {
    "crm:act": ModuleDef(connector="crm", name="act", label="Act", kind="action", function=needs),
    "datastore:AddRecord": ModuleDef(
        connector="datastore", name="AddRecord", label="Add", kind="action", function=needs
    ),
    "json:CreateJSON": ModuleDef(
        connector="json", name="CreateJSON", label="Create", kind="transform", function=needs
    ),
    "scenario-service:CallSubscenario": ModuleDef(
        connector="scenario-service",
        name="CallSubscenario",
        label="Call",
        kind="action",
        function=needs,
    ),
}


def asked(*modules: Any) -> list[Need]:
    imported = load({"name": "x", "flow": list(modules)})
    return needs_of(imported, DEFS.get, {"crm": CRM}.get)


def thing(kind: Kind, number: int, name: str, of: str = "") -> Thing:
    return Thing(kind, UUID(int=number), name, of)


ONE = thing("connection", 1, "One", "crm")
TWO = thing("connection", 2, "Two", "crm")
STORE = thing("store", 5, "People")


def bound(needs: list[Need], things: list[Thing], **rest: Any) -> dict[str, dict[str, str]]:
    return choose(needs, things, **rest).bindings


def test_modules_that_shared_an_account_are_asked_for_once() -> None:
    found = asked(
        step(1, "crm:act", 7, "Ann"), step(2, "crm:act", 8, "Bob"), step(3, "crm:act", 7, "Ann")
    )
    wants = wants_of(found)
    assert [(want.label, [need.module for need in want.needs]) for want in wants] == [
        ("Ann", [1, 3]),
        ("Bob", [2]),
    ]


@pytest.mark.parametrize(
    "key", ["1", "Ann", "account:crm:Ann", "connection:Ann", "connection:1", "1.__IMTCONN__", "ann"]
)
def test_a_thing_is_named_in_many_ways(key: str) -> None:
    found = asked(step(1, "crm:act", 7, "Ann"), step(2, "crm:act", 8, "Bob"))
    assert bound(found, [ONE, TWO], mapped={key: "Two"}) == {
        "connections": {"1": str(TWO.id), "2": str(ONE.id)}
    }


def test_a_general_name_serves_all_and_a_particular_one_wins() -> None:
    found = asked(step(1, "crm:act", 7, "Ann"), step(2, "crm:act", 8, "Bob"))
    assert bound(found, [ONE, TWO], mapped={"crm": "two"}) == {
        "connections": {"1": str(TWO.id), "2": str(TWO.id)}
    }
    assert bound(found, [ONE, TWO], mapped={"crm": "Two", "Ann": str(ONE.id)}) == {
        "connections": {"1": str(ONE.id), "2": str(TWO.id)}
    }


def test_a_name_from_before_is_taken_up_and_bindings_are_kept() -> None:
    found = asked(step(1, "crm:act", 7, "two"), step(2, "crm:act", 7, "two"))
    assert bound(found, [ONE, TWO]) == {"connections": {"1": str(TWO.id), "2": str(TWO.id)}}
    before = {"connections": {"1": str(ONE.id), "2": str(TWO.id)}}
    assert bound(found, [ONE, TWO], before=before) == before
    gone = {"connections": {"1": str(UUID(int=99))}}
    assert bound(found, [ONE, TWO], before=gone)["connections"]["1"] == str(TWO.id)


def test_what_is_said_wrongly_names_what_there_is() -> None:
    found = asked(step(1, "crm:act", 7, "Ann"))
    with pytest.raises(NotFound, match=r"no 'crm' connection called 'Nine'.*'One', 'Two'"):
        choose(found, [ONE, TWO], mapped={"Ann": "Nine"})
    known = r"Nothing here answers to 'x'.*1 \(crm:act, connection 'Ann'"
    with pytest.raises(Misconfigured, match=known):
        choose(found, [ONE], mapped={"x": "One"})


def test_a_store_is_never_guessed() -> None:
    found = asked(store(1, 4, "Contacts"), store(2, 4, "Contacts"))
    choice = choose(found, [STORE])
    (want,) = choice.missing
    assert choice.bindings == {}
    assert "Modules 1, 2 (datastore:AddRecord) need a data store (it was 'Contacts')" in want.line()
    assert "junctor scenarios bind 'My scenario' --map 1=new" in want.line("My scenario")
    assert bound(found, [thing("store", 6, "contacts")])["stores"]["2"] == str(UUID(int=6))
    assert bound(found, [STORE], mapped={"store": "People"})["stores"]["1"] == str(STORE.id)


def test_stores_can_be_made() -> None:
    found = asked(store(1, 4, "Contacts"), store(2, 4, "Contacts"))
    (want,) = choose(found, [], create=True).wants
    assert want.create is not None
    assert (want.create.name, want.create.keys, want.met) == ("Contacts", ("1", "2"), True)
    (want,) = choose(found, [STORE], mapped={"1": "new:Mine", "2": "new:Mine"}).wants
    assert want.create is not None
    assert want.create.name == "Mine"


def test_an_empty_choice_leaves_it_open() -> None:
    found = asked(step(1, "crm:act", 7, "Ann"))
    choice = choose(found, [ONE], mapped={"1": ""}, create=True)
    assert (choice.bindings, len(choice.missing)) == ({}, 1)


def test_a_key_that_names_a_module_finds_the_kind_that_fits() -> None:
    module = store(1, 4, "Contacts")
    module["parameters"]["type"] = 9
    module["metadata"]["parameters"].append({"name": "type", "type": "udt"})
    found = asked(module)
    assert {need.kind: need.required for need in found} == {"store": True, "structure": False}
    shape = thing("structure", 8, "Shape")
    assert bound(found, [STORE, shape], mapped={"1": "Shape"}) == {
        "structures": {"1": str(shape.id)}
    }


def test_several_connections_of_one_module() -> None:
    calls = ModuleDef(
        connector="crm", name="call", label="Call", kind="action", function=needs, raw=True
    )

    class Calls:
        """A definition that says which connections it needs."""

        hook = None
        connector, id = calls.connector, calls.id
        connection_kinds: ClassVar = {"tlsKeychain": ("cert",)}

        @staticmethod
        def needs_connection(parameters: Any, mapper: Any) -> tuple[str, ...]:
            assert mapper == {"url": "u"}
            return tuple(name for name in ("apiKeyKeychain", "tlsKeychain") if name in parameters)

    def find(name: str) -> Any:
        return Calls if name == "crm:call" else None

    def keys(**parameters: Any) -> list[str]:
        flow = [{"id": 3, "module": "crm:call", "parameters": parameters, "mapper": {"url": "u"}}]
        found = needs_of(load({"flow": flow}), find, {"crm": CRM}.get)
        return [need.key for need in found]

    assert keys() == []
    assert keys(apiKeyKeychain=1) == ["3"]
    assert keys(apiKeyKeychain=1, tlsKeychain=2) == ["3", "3.tlsKeychain"]
    cert = Thing("connection", UUID(int=4), "Cert", "crm", "cert")
    own = {"tlsKeychain": 2}
    flow = [{"id": 3, "module": "crm:call", "parameters": own, "mapper": {"url": "u"}}]
    found = needs_of(load({"flow": flow}), find, {"crm": CRM}.get)
    assert bound(found, [ONE, cert]) == {"connections": {"3.tlsKeychain": str(cert.id)}}


def test_fields_of_what_is_made_come_from_the_export() -> None:
    fields = [{"name": "a", "type": "text"}, {"name": "b", "type": "number"}]
    writes = store(1, 4, "C")
    writes["metadata"]["expect"] = [
        {"name": "key", "type": "text"},
        {"name": "data", "type": "collection", "spec": fields},
    ]
    reads = store(2, 4, "C")
    reads["metadata"]["interface"] = [{"name": "key"}, {"name": "c", "type": "date"}]
    document = {"flow": [writes, reads]}
    made = fields_of(document, ["flow[0]", "flow[1]"], "store")
    assert [field["name"] for field in made] == ["a", "b", "c"]
    parse = {"id": 3, "module": "json:ParseJSON", "metadata": {"interface": fields}}
    create = {"id": 4, "module": "json:CreateJSON", "metadata": {"expect": fields, "interface": 7}}
    for module in (parse, create):
        assert fields_of({"flow": [module]}, ["flow[0]"], "structure") == fields
    assert fields_of({"flow": [{"id": 1, "metadata": []}]}, ["flow[0]"], "store") == []
