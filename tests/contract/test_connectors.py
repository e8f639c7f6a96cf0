"""What every registered connector must do, ours and third parties' alike.

`make snapshots` writes new snapshots (``JUNCTOR_WRITE_SNAPSHOTS=1``); review them like code.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from msgspec.json import encode

from junctor.language.connector import (
    Connection,
    Connector,
    ModuleDef,
    Response,
    Takeover,
)
from junctor.language.forms import form_of, schema_of
from junctor.runtime.registry import BUILT_IN, Registry
from junctor.testing import contracts_connectors as contracts

SNAPSHOTS = Path(__file__).parent / "snapshots"
ROOT = Path(__file__).parents[2]
REGISTRY = Registry.load()
CONNECTORS = REGISTRY.connectors()
MODULES = list(REGISTRY.modules())
CALLS = [
    module
    for module in MODULES
    if module.kind in {"action", "search", "trigger"} and not module.raw
]
HOOKS = [module for module in MODULES if module.kind == "instant"]
CONNECTIONS = [
    (connector, kind, connection)
    for connector in CONNECTORS
    for kind, connection in connector.connections.items()
]

each_connector = pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.name)
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda one: one.id)
each_call = pytest.mark.parametrize("module", CALLS, ids=lambda one: one.id)
each_hook = pytest.mark.parametrize("module", HOOKS, ids=lambda one: one.id)
each_connection = pytest.mark.parametrize(
    ("connector", "kind", "connection"), CONNECTIONS, ids=lambda one: getattr(one, "name", "")
)

FILLED: dict[str, dict[str, Any]] = {
    "OAuth": {
        "flow": "token",
        "accessToken": contracts.SECRET,
        "testUrl": "https://api.example.com/",
    },
    "Certificate": {"authorities": self_signed()[0].decode()},
}
"""What a form needs beside its required fields, by its name."""


def asks(check: Callable[..., None], *given: Any) -> None:
    try:
        check(*given)
    except contracts.NotAsked:
        pytest.skip("it asks something of Junctor itself, not of a vendor")


@each_module
def test_every_module_says_what_it_is_for(module: ModuleDef) -> None:
    contracts.check_words(module)


@each_module
def test_every_form_is_plain_json_schema(module: ModuleDef) -> None:
    contracts.check_form(module)


@each_connector
def test_time_spans_and_money_have_units(connector: Connector) -> None:
    for module in connector.modules.values():
        contracts.check_units(module)


@each_module
def test_pick_lists_come_from_a_search_of_the_same_connector(module: ModuleDef) -> None:
    contracts.check_options(module, REGISTRY.find)


def _ordered(schema: Any) -> Any:
    """With choices in the order of the alphabet: Python takes types for equal whose choices come in
    another order, and gives whichever was made first in the process.
    """
    if isinstance(schema, dict):
        return {
            key: sorted(value, key=str) if key == "enum" else _ordered(value)
            for key, value in schema.items()
        }
    return [_ordered(each) for each in schema] if isinstance(schema, list) else schema


def digest(module: ModuleDef) -> str:
    """Kind, effect and a hash of the form: for the hundreds that come from catalogues."""
    text = json.dumps(_ordered(schema_of(module)), sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{module.kind} {module.effect} {module.version} {short}"


@each_connector
def test_forms_stay_as_they_were(connector: Connector) -> None:
    forms: dict[str, dict[str, Any]] = {
        "modules": {
            module.name: {
                "kind": module.kind,
                "effect": module.effect,
                "version": module.version,
                **schema_of(module),
            }
            for module in connector.modules.values()
            if not module.generated
        },
        "generated": {
            module.name: digest(module) for module in connector.modules.values() if module.generated
        },
        "connections": {
            kind: form_of(connection.form) for kind, connection in connector.connections.items()
        },
        "hooks": {
            module.name: form_of(module.hook.settings)
            for module in connector.modules.values()
            if module.hook is not None and module.hook.settings is not None
        },
    }
    if not forms["generated"]:
        del forms["generated"]
    file = SNAPSHOTS / f"{connector.name}.json"
    text = json.dumps(forms, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("JUNCTOR_WRITE_SNAPSHOTS"):
        file.write_text(text, encoding="utf-8")
    kept: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    differ = []
    for part in sorted({*forms, *kept}):
        known, now = kept.get(part, {}), dict(forms.get(part, {}))
        differ += [f"{part}.{n}" for n in {*known, *now} if known.get(n) != now.get(n)]
    assert not differ, (
        "a form differs from its snapshot: if that is meant, `make snapshots`, and say in the "
        "changelog what changes for scenarios that use the module"
    )


@each_call
def test_the_same_arguments_make_the_same_request(module: ModuleDef) -> None:
    asks(contracts.check_repeatable, module)


@each_call
def test_a_mapped_value_cannot_climb_out_of_its_path(module: ModuleDef) -> None:
    if module.connector == "http":
        pytest.skip("its address is the user's own")
    asks(contracts.check_climbing, module)


@each_call
def test_an_effect_is_said(module: ModuleDef) -> None:
    asks(contracts.check_effect, module)


@each_call
def test_requests_stay_below_the_base_url(module: ModuleDef) -> None:
    connector = REGISTRY.connector(module.connector)
    assert connector is not None
    asks(contracts.check_below_base, module, connector)


def filled(connection: Connection) -> dict[str, Any]:
    return FILLED.get(connection.form.__name__, {})


@each_connection
def test_a_connection_can_be_tested(
    connector: Connector, kind: str, connection: Connection
) -> None:
    del connector, kind
    contracts.check_connection(connection, filled(connection))


@each_connection
def test_signing_adds_the_secret_and_nothing_shows_it(
    connector: Connector, kind: str, connection: Connection
) -> None:
    del connector, kind
    contracts.check_signing(connection, filled(connection))


@each_hook
def test_a_hook_gives_bundles(module: ModuleDef) -> None:
    contracts.check_bundles(module)


@each_hook
def test_a_hook_refuses_what_is_not_genuine(module: ModuleDef) -> None:
    contracts.check_hook(module)


@each_hook
def test_a_hook_survives_what_is_not_its_own(module: ModuleDef) -> None:
    contracts.check_strange_deliveries(module)


@each_hook
def test_a_registration_is_reversible(module: ModuleDef) -> None:
    assert module.hook is not None
    registration = module.hook.register
    if registration is None:
        assert module.hook.settings is not None, "its page must say how it gets its address"
        return
    if isinstance(registration, Takeover):
        before = registration.kept(Response(200, {}, b"{}"))
        registration.check(before)
        assert registration.place({}) == ""
        taken = registration.take("../1", "https://x.test/hook/abc", {})
        assert registration.url(registration.kept(Response(200, {}, encode(taken.json)))) == (
            "https://x.test/hook/abc"
        )
        given_back = registration.give_back("../1", before)
        assert "https://x.test/hook/abc" not in str(given_back.json)
        assert set(registration.kept(Response(200, {}, encode(given_back.json)))) <= set(before)
        for request in (taken, given_back, registration.look("../1")):
            assert request.url.endswith("..%2F1")
        return
    create = registration.create("https://x.test/hook/abc")
    assert "https://x.test/hook/abc" in str(create.json or create.form)
    assert registration.listing().method == "GET"
    assert registration.delete("../1").url.endswith("..%2F1")


@each_connector
def test_a_connector_imports_only_the_language(connector: Connector) -> None:
    package = importlib.import_module(BUILT_IN[connector.name].partition(":")[0])
    file = Path(str(inspect.getsourcefile(package)))
    files = file.parent.glob("*.py") if file.name == "__init__.py" else [file]
    own = package.__name__
    shared = "junctor.connectors._"  # parts of several of them
    for source in files:
        text = source.read_text(encoding="utf-8")
        assert list(contracts.import_problems(text, (shared, own))) == []


@each_connector
def test_a_connector_has_its_page(connector: Connector) -> None:
    page = {"builtin": "tools", "util": "tools", "placeholder": "tools"}
    file = ROOT / "docs" / "connectors" / f"{page.get(connector.name, connector.name)}.md"
    text = file.read_text(encoding="utf-8")
    for module in connector.modules.values():
        if not module.generated:  # the reference lists those
            assert f"`{module.id}`" in text, f"{file.name} does not name {module.id}"
