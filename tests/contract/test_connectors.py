"""What every registered connector must do, ours and third parties' alike.

New snapshots are written with ``JUNCTOR_WRITE_SNAPSHOTS=1``; review them like code.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import inspect
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import GeneratorType
from typing import Any, Literal, get_args, get_origin, is_typeddict
from urllib.parse import unquote, urlsplit

import pytest
from certificates import self_signed
from msgspec.json import encode

from junctor.errors import BundleInvalid, DataError, Misconfigured, Unauthorized
from junctor.language.connector import (
    Ask,
    Connection,
    Connector,
    Delivery,
    Field,
    ModuleDef,
    Request,
    Response,
    Secret,
    Takeover,
    Token,
)
from junctor.language.forms import Slot, build, form_of, schema_of, secrets_of, slots_of
from junctor.runtime.registry import BUILT_IN, Registry

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

SECRET = "canary-4711-secret"
FILLED: dict[str, dict[str, Any]] = {
    "OAuth": {"flow": "token", "accessToken": SECRET, "testUrl": "https://api.example.com/"},
    "Certificate": {"authorities": self_signed()[0].decode()},
}
"""What a form needs beside its required fields, by its name."""


def sample(slot: Slot, text: str = "sample") -> Any:
    """A plausible value of a field, so that a function can be called without knowing it."""
    return _of(slot.hint, slot.field, text)


def _of(hint: Any, field: Field | None, text: str) -> Any:
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if hint is Secret:
        return Secret(SECRET)
    if field is not None and field.example is not None and text == "sample":
        return field.example
    if get_origin(hint) is list or hint is list:
        inner = get_args(hint)
        return [_of(inner[0], None, text)] if inner and not is_typeddict(inner[0]) else []
    if get_origin(hint) is dict or hint is dict:
        return {}
    if field is not None and field.format == "uri":
        return "https://example.com/a"
    simple: dict[Any, Any] = {
        int: int(field.minimum or 1) if field else 1,
        float: 1.0,
        bool: True,
        bytes: b"data",
        datetime: datetime(2026, 1, 2, tzinfo=UTC),
    }
    return simple.get(hint, text)


def arguments(module: ModuleDef, text: str = "sample") -> dict[str, Any]:
    slots = [slot for slot in slots_of(module.function) if slot.required or not slot.field.advanced]
    return {slot.name: sample(slot, text) for slot in slots}


def first_request(module: ModuleDef, given: dict[str, Any]) -> Request:
    made = module.function(**given)
    request = next(made) if isinstance(made, GeneratorType) else made
    if isinstance(request, Ask):
        pytest.skip("it asks something of Junctor itself, not of a vendor")
    assert isinstance(request, Request)
    return request


@each_module
def test_every_module_says_what_it_is_for(module: ModuleDef) -> None:
    assert module.label
    assert module.label[0].isupper()
    first = module.help.split("\n")[0]
    assert len(first) > 10
    assert first[0].isupper()
    assert module.help.rstrip().endswith(".")


@each_module
def test_every_form_is_plain_json_schema(module: ModuleDef) -> None:
    schema = schema_of(module)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["type"] == "object"
    assert set(schema["required"]) <= set(schema["properties"])
    for key, field in schema["properties"].items():
        assert key.isidentifier() or key.isprintable()
        assert field["title"]


@each_module
def test_pick_lists_come_from_a_search_of_the_same_connector(module: ModuleDef) -> None:
    for field in schema_of(module)["properties"].values():
        if "x-options" in field:
            source = REGISTRY.find(field["x-options"]["module"])
            assert source is not None
            assert source.kind == "search"
            assert not schema_of(source)["required"]


def digest(module: ModuleDef) -> str:
    """Kind, effect and a hash of the form: for the hundreds that come from catalogues."""
    text = json.dumps(schema_of(module), sort_keys=True)
    short = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{module.kind} {module.effect} {module.version} {short}"


@each_connector
def test_forms_stay_as_they_were(connector: Connector) -> None:
    forms = {
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
    assert json.loads(file.read_text(encoding="utf-8")) == forms


@each_call
def test_the_same_arguments_make_the_same_request(module: ModuleDef) -> None:
    given = arguments(module)
    assert first_request(module, given) == first_request(module, given)


@each_call
def test_a_mapped_value_cannot_climb_out_of_its_path(module: ModuleDef) -> None:
    if module.connector == "http":
        pytest.skip("its address is the user's own")
    try:
        request = first_request(module, arguments(module, "../../v2/a?b#c"))
    except (BundleInvalid, DataError):
        return
    plain = first_request(module, arguments(module, "x"))
    assert "?" not in request.url
    assert "#" not in request.url
    assert request.url.count("/") == plain.url.count("/")
    assert ".." not in unquote(request.url).replace("../../v2/a?b#c", "").replace("../v2", "")


@each_call
def test_an_effect_is_said(module: ModuleDef) -> None:
    assert module.effect != "pure"
    request = first_request(module, arguments(module))
    if module.kind == "search":
        assert module.effect == "read"
    if request.method in {"GET", "HEAD"} and module.effect_of is None:
        assert module.effect == "read"
    if module.effect == "read":
        assert request.method in {"GET", "HEAD", "POST"}


@each_call
def test_requests_stay_below_the_base_url(module: ModuleDef) -> None:
    request = first_request(module, arguments(module))
    connections = REGISTRY.connector(module.connector).connections  # type: ignore[union-attr]  # it is registered
    if any(connection.base_url for connection in connections.values()):
        assert request.url.startswith("/")
    else:
        assert urlsplit(request.url).scheme == "https"


def account_of(connection: Connection) -> Any:
    values = {slot.key: sample(slot) for slot in slots_of(connection.form) if slot.required}
    return build(connection.form, {**values, **FILLED.get(connection.form.__name__, {})})


def at_work(connection: Connection) -> Any:
    """An account as its requests are signed with: authorised, if its kind asks for that."""
    account = account_of(connection)
    if connection.oauth is None:
        return account
    facts = {"userType": "Location", "locationId": "location", "companyId": "company"}
    return connection.oauth.put(account, Token(value=Secret(SECRET), facts=facts))


@each_connection
def test_a_connection_can_be_tested(
    connector: Connector, kind: str, connection: Connection
) -> None:
    del connector, kind
    test = connection.test
    if test is None:
        assert connection.probe is not None
        return
    request = test if isinstance(test, Request) else test(at_work(connection))
    if not connection.base_url:  # its hosts are the user's own, and so is what tests it
        assert request is None or urlsplit(request.url).hostname == "api.example.com"
        return
    assert request is not None
    assert request.method == "GET"
    assert request.url.startswith("/")
    assert urlsplit(connection.base_url).scheme == "https"
    assert not connection.base_url.endswith("/")


@each_connection
def test_signing_adds_the_secret_and_nothing_shows_it(
    connector: Connector, kind: str, connection: Connection
) -> None:
    del connector, kind
    account = at_work(connection)
    assert secrets_of(connection.form)
    assert SECRET not in repr(account)
    assert SECRET not in str(dataclasses.asdict(account))
    if connection.probe is not None:  # it is not reached by HTTP, so no request may carry it
        with pytest.raises(Misconfigured):
            connection.sign(Request("GET", "/x"), account)
        return
    plain = Request("GET", (connection.base_url or "https://api.example.com") + "/x")
    signed = connection.sign(plain, account)
    assert signed != plain
    assert connection.sign(plain, account) == signed
    assert urlsplit(signed.url).netloc == urlsplit(plain.url).netloc
    assert SECRET not in repr((signed.tls, signed.proxy))
    for value in signed.headers.values():
        assert type(value) is str


def delivery(**changes: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": "d1",
        "method": "POST",
        "query": (),
        "headers": {"content-type": "application/json"},
        "body": b'{"type":"x","webhookId":"w1","callid":"c1","id":"i1"}',
        "received_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Delivery(**{**given, **changes})


@each_hook
def test_a_hook_gives_bundles(module: ModuleDef) -> None:
    assert module.hook is not None
    sent = delivery(body=delivery().body.replace(b'"x"', f'"{first_type(module)}"'.encode()))
    bundles = list(module.function(sent))
    assert bundles
    assert all(isinstance(bundle, dict) for bundle in bundles)
    assert bundles == list(module.function(sent))


def first_type(module: ModuleDef) -> str:
    """A hook that lets its user choose from some types is sent one of them."""
    settings = module.hook.settings if module.hook is not None else None
    for slot in slots_of(settings) if settings is not None else ():
        inner = get_args(slot.hint)
        if slot.key == "types" and inner and get_origin(inner[0]) is Literal:
            return str(get_args(inner[0])[0])
    return "x"


@each_hook
def test_a_hook_refuses_what_is_not_genuine(module: ModuleDef) -> None:
    """Every secret of the hook, filled in, refuses a delivery that doesn't carry it."""
    hook = module.hook
    assert hook is not None
    secrets = secrets_of(hook.settings) if hook.settings is not None else frozenset()
    if not secrets and hook.register is not None:
        # The vendor signs nothing: the unguessable address that we register is the only key.
        hook.verify(delivery(), {})
        return
    for settings in [{name: SECRET} for name in secrets] or [{}]:
        with pytest.raises(Unauthorized):
            hook.verify(delivery(), settings)


@each_hook
def test_a_hook_survives_what_is_not_its_own(module: ModuleDef) -> None:
    """Dedup and order are asked before anything is known about a delivery."""
    assert module.hook is not None
    for body in (b"", b"\xff\xfe", b"[1]", b"null", b"{"):
        strange = delivery(body=body)
        assert module.hook.dedup(strange) is None
        assert module.hook.order_key(strange) is None


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
    for source in files:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in names:
                banned = {
                    "time",
                    "random",
                    "uuid",
                    "os",
                    "socket",
                    "aiohttp",
                    "requests",
                    "secrets",
                }
                assert name.split(".")[0] not in banned
                if name.startswith("junctor"):
                    shared = "junctor.connectors._"  # parts of several of them
                    assert name.startswith(("junctor.errors", "junctor.language.", shared, own))


@each_connector
def test_a_connector_has_its_page(connector: Connector) -> None:
    page = {"builtin": "tools", "util": "tools", "placeholder": "tools"}
    file = ROOT / "docs" / "connectors" / f"{page.get(connector.name, connector.name)}.md"
    text = file.read_text(encoding="utf-8")
    for module in connector.modules.values():
        if not module.generated:  # the reference lists those
            assert f"`{module.id}`" in text, f"{file.name} does not name {module.id}"
