"""What every connector must do, ours and third parties' alike; `junctor connector check` asks it.

Each check is a function of one module, one kind of connection or one connector that raises
`AssertionError` with a sentence for its author. `problems` runs them all. A connector is only
called, never connected: nothing is sent.
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import GeneratorType
from typing import Any, Literal, get_args, get_origin, is_typeddict
from urllib.parse import unquote, urlsplit

from junctor.errors import (
    BundleInvalid,
    DataError,
    Fault,
    JunctorError,
    Misconfigured,
    Unauthorized,
)
from junctor.language.connector import (
    Ask,
    Connection,
    Connector,
    Delivery,
    Field,
    ModuleDef,
    Registration,
    Request,
    Secret,
    Token,
)
from junctor.language.forms import Slot, build, schema_of, secrets_of, slots_of
from junctor.language.picklists import pick_lists
from junctor.testing.contracts_fields import check_units

__all__ = [
    "SECRET",
    "NotAsked",
    "Problem",
    "account_of",
    "arguments",
    "at_work",
    "check_below_base",
    "check_bundles",
    "check_climbing",
    "check_connection",
    "check_effect",
    "check_form",
    "check_hook",
    "check_options",
    "check_registration",
    "check_repeatable",
    "check_signing",
    "check_strange_deliveries",
    "check_units",
    "check_words",
    "delivery",
    "first_request",
    "import_problems",
    "is_call",
    "problems",
    "sample",
]

SECRET = "canary-4711-secret"  # noqa: S105 - a stand-in that must never show up
_STRANGE = (b"", b"\xff\xfe", b"[1]", b"null", b"{")
_ADDRESS = "https://x.test/hook/abc"


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that a connector breaks."""

    where: str
    """A module's id, or ``connection kind``."""
    rule: str
    message: str


class NotAsked(Exception):
    """The check does not apply: the module asks something of Junctor itself, not of a vendor."""


# Stand-ins


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
    """Values for what a module must have, and for what its form shows at once."""
    slots = [slot for slot in slots_of(module.function) if slot.required or not slot.field.advanced]
    return {slot.name: sample(slot, text) for slot in slots}


def first_request(module: ModuleDef, given: dict[str, Any]) -> Request:
    """The first request of a module. `NotAsked` if it sends none to a vendor."""
    made = module.function(**given)
    request = next(made) if isinstance(made, GeneratorType) else made
    if isinstance(request, Ask):
        raise NotAsked
    assert isinstance(request, Request), f"it gives a {type(request).__name__}, not a Request"
    return request


def is_call(module: ModuleDef) -> bool:
    """Whether a module sends requests that its arguments alone decide."""
    return module.kind in {"action", "search", "trigger"} and not module.raw


def account_of(connection: Connection, filled: Mapping[str, Any] | None = None) -> Any:
    """An account of this kind; ``filled``: what its form needs beside its required fields."""
    values = {slot.key: sample(slot) for slot in slots_of(connection.form) if slot.required}
    return build(connection.form, {**values, **(filled or {})})


def at_work(connection: Connection, filled: Mapping[str, Any] | None = None) -> Any:
    """An account as its requests are signed with: authorised, if its kind asks for that."""
    account = account_of(connection, filled)
    if connection.oauth is None:
        return account
    facts = {"userType": "Location", "locationId": "location", "companyId": "company"}
    return connection.oauth.put(account, Token(value=Secret(SECRET), facts=facts))


def delivery(**changes: Any) -> Delivery:
    """A delivery that no vendor sent."""
    given: dict[str, Any] = {
        "id": "d1",
        "method": "POST",
        "query": (),
        "headers": {"content-type": "application/json"},
        "body": b'{"type":"x","webhookId":"w1","callid":"c1","id":"i1"}',
        "received_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Delivery(**{**given, **changes})


# Modules


def check_words(module: ModuleDef) -> None:
    """Label and help are sentences that a user can read."""
    assert module.label, "it has no label"
    assert module.label[0].isupper(), f"its label {module.label!r} begins with no capital"
    first = module.help.split("\n")[0]
    assert len(first) > 10, "its docstring must say in a sentence what it is for"
    assert first[0].isupper(), f"its help {first[:40]!r} begins with no capital"
    assert module.help.rstrip().endswith("."), "its help must end with a full stop"


def check_form(module: ModuleDef) -> None:
    """The form is plain JSON Schema, and every field has a label."""
    schema = schema_of(module)
    assert json.loads(json.dumps(schema)) == schema, "its form is no plain JSON"
    assert schema["type"] == "object", "its form is no object"
    lost = set(schema["required"]) - set(schema["properties"])
    assert not lost, f"required fields that the form does not have: {sorted(lost)}"
    for key, field in schema["properties"].items():
        assert key.isidentifier() or key.isprintable(), f"the field {key!r} has no printable name"
        assert field["title"], f"the field {key!r} has no label"


def check_options(module: ModuleDef, find: Callable[[str], ModuleDef | None]) -> None:
    """Pick-lists come from searches that can be asked with what the form holds."""
    for path, source in pick_lists(schema_of(module)):
        search = find(source["module"])
        name = source["module"]
        assert search is not None, f"{path}: its pick-list comes from {name}, which is not there"
        assert search.kind == "search", f"{path}: {name} is a {search.kind}, not a search"
        said = {*source.get("from", ()), *source.get("with", ())}
        needed = [key for key in schema_of(search)["required"] if key not in said]
        assert not needed, f"{path}: {name} can't be asked without {', '.join(needed)}"


def check_repeatable(module: ModuleDef) -> None:
    """The same arguments make the same request: runs are replayed."""
    given = arguments(module)
    first, second = first_request(module, given), first_request(module, given)
    assert first == second, "the same arguments made two different requests"


def check_climbing(module: ModuleDef) -> None:
    """A mapped value can't lead a request elsewhere."""
    try:
        request = first_request(module, arguments(module, "../../v2/a?b#c"))
    except (BundleInvalid, DataError):
        return
    plain = first_request(module, arguments(module, "x"))
    mend = "; build addresses with path()"
    assert "?" not in request.url, f"a mapped value reached the query of the address{mend}"
    assert "#" not in request.url, f"a mapped value reached the address's fragment{mend}"
    same = request.url.count("/") == plain.url.count("/")
    assert same, f"a mapped value added segments to the address: {request.url}{mend}"
    rest = unquote(request.url).replace("../../v2/a?b#c", "").replace("../v2", "")
    assert ".." not in rest, f"a mapped value climbed out of its path{mend}"


def check_effect(module: ModuleDef) -> None:
    """The effect that is said fits the request."""
    assert module.effect != "pure", "it sends requests, so its effect is not pure"
    request = first_request(module, arguments(module))
    if module.kind == "search":
        assert module.effect == "read", f"a search reads; its effect is {module.effect}"
    if request.method in {"GET", "HEAD"} and module.effect_of is None:
        assert module.effect == "read", f"{request.method} reads; its effect is {module.effect}"
    if module.effect == "read":
        known = request.method in {"GET", "HEAD", "POST"}
        assert known, f"its effect is read, but it sends {request.method}"


def check_below_base(module: ModuleDef, connector: Connector) -> None:
    """Requests go below the connection's base URL, or, where there is none, by HTTPS."""
    request = first_request(module, arguments(module))
    if any(connection.base_url for connection in connector.connections.values()):
        assert request.url.startswith("/"), f"{request.url[:60]} is not a path below the base URL"
    else:
        assert urlsplit(request.url).scheme == "https", f"{request.url[:60]} is not at https://"


# Hooks


def first_type(module: ModuleDef) -> str:
    """A hook that lets its user choose from some types is sent one of them."""
    settings = module.hook.settings if module.hook is not None else None
    for slot in slots_of(settings) if settings is not None else ():
        inner = get_args(slot.hint)
        if slot.key == "types" and inner and get_origin(inner[0]) is Literal:
            return str(get_args(inner[0])[0])
    return "x"


def check_bundles(module: ModuleDef) -> None:
    """A delivery becomes bundles, the same ones each time."""
    sent = delivery(body=delivery().body.replace(b'"x"', f'"{first_type(module)}"'.encode()))
    bundles = list(module.function(sent))
    assert bundles, "a delivery gave no bundle"
    assert all(isinstance(bundle, dict) for bundle in bundles), "a bundle must be a collection"
    assert bundles == list(module.function(sent)), "the same delivery gave other bundles"


def check_hook(module: ModuleDef) -> None:
    """Every secret of the hook, filled in, refuses a delivery that doesn't carry it."""
    hook = module.hook
    assert hook is not None, "an instant trigger needs a hook"
    secrets = secrets_of(hook.settings) if hook.settings is not None else frozenset()
    if not secrets and hook.register is not None:
        # The vendor signs nothing: the unguessable address that we register is the only key.
        hook.verify(delivery(), {})
        return
    for settings in [{name: SECRET} for name in secrets] or [{}]:
        try:
            hook.verify(delivery(), settings)
        except Unauthorized:
            continue
        raise AssertionError("a delivery without signature or key is taken for genuine")


def check_strange_deliveries(module: ModuleDef) -> None:
    """Dedup and order are asked before anything is known about a delivery."""
    assert module.hook is not None, "an instant trigger needs a hook"
    for body in _STRANGE:
        strange = delivery(body=body)
        assert module.hook.dedup(strange) is None, f"dedup makes a key of {body!r}"
        assert module.hook.order_key(strange) is None, f"order_key makes a key of {body!r}"


def check_registration(module: ModuleDef) -> None:
    """What is registered with the vendor can be found and taken away again."""
    hook = module.hook
    assert hook is not None, "an instant trigger needs a hook"
    registration = hook.register
    if registration is None:
        assert hook.settings is not None, "its user must learn how the vendor gets its address"
        return
    if not isinstance(registration, Registration):
        return
    create = registration.create(_ADDRESS)
    assert _ADDRESS in str(create.json or create.form), "create() does not send the hook's address"
    assert registration.listing().method == "GET", "listing() must only read"
    gone = registration.delete("../1").url
    assert gone.endswith("..%2F1"), "delete() must quote the vendor's id; use path()"


# Connections


def check_connection(connection: Connection, filled: Mapping[str, Any] | None = None) -> None:
    """The connection says how it is tested, and where its requests go."""
    test = connection.test
    if test is None:
        assert connection.probe is not None, "it says neither `test` nor `probe`"
        return
    request = test if isinstance(test, Request) else test(at_work(connection, filled))
    if not connection.base_url:  # its hosts are the user's own, and so is what tests it
        hosts = {"api.example.com"}
        assert request is None or urlsplit(request.url).hostname in hosts, "its test goes elsewhere"
        return
    assert request is not None, "its test makes no request"
    assert request.method == "GET", f"its test sends {request.method}; a test must only read"
    assert request.url.startswith("/"), "its test must be a path below the base URL"
    assert urlsplit(connection.base_url).scheme == "https", "its base URL must be https://"
    assert not connection.base_url.endswith("/"), "its base URL must not end with a slash"


def check_signing(connection: Connection, filled: Mapping[str, Any] | None = None) -> None:
    """Signing adds the secret, always in the same way, and nothing shows it."""
    account = at_work(connection, filled)
    assert secrets_of(connection.form), "its form has no Secret field"
    assert SECRET not in repr(account), "repr() of an account shows its secret"
    assert SECRET not in str(dataclasses.asdict(account)), "an account shows its secret"
    if connection.probe is not None:  # it is not reached by HTTP, so no request may carry it
        try:
            connection.sign(Request("GET", "/x"), account)
        except Misconfigured:
            return
        raise AssertionError("it is not reached by HTTP, and yet signs a request")
    plain = Request("GET", (connection.base_url or "https://api.example.com") + "/x")
    signed = connection.sign(plain, account)
    assert signed != plain, "signing adds nothing to a request"
    assert connection.sign(plain, account) == signed, "signing twice gives two requests"
    assert urlsplit(signed.url).netloc == urlsplit(plain.url).netloc, "signing changes the host"
    assert SECRET not in repr((signed.tls, signed.proxy)), "repr() of a signed request shows it"
    for name, value in signed.headers.items():
        assert type(value) is str, f"the header {name} is a {type(value).__name__}, not str"


# Sources

_BANNED = {"aiohttp", "httpx", "os", "random", "requests", "secrets", "socket", "time", "uuid"}
"""What brings I/O, a clock or chance: the framework does all that."""


def import_problems(source: str, own: Iterable[str]) -> Iterator[str]:
    """What a connector's source imports and may not. ``own``: packages that are its own parts."""
    allowed = ("junctor.errors", "junctor.language.", *own)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] in _BANNED:
                yield f"line {node.lineno}: it imports {name}; a connector does no I/O"
            elif name.split(".")[0] == "junctor" and not name.startswith(allowed):
                yield f"line {node.lineno}: it imports {name}, which is not for connectors"


# All of them


def problems(connector: Connector) -> Iterator[Problem]:
    """Every rule that the connector breaks. Nothing is sent."""

    def find(id_: str) -> ModuleDef | None:
        prefix, _, name = id_.partition(":")
        return connector.modules.get(name) if prefix == connector.name else None

    for module in connector.modules.values():
        yield from _asked(module.id, _of_module(module, connector, find))
    for kind, connection in connector.connections.items():
        each: list[Callable[[], None]] = [
            _bound(check_connection, connection),
            _bound(check_signing, connection),
        ]
        yield from _asked(f"connection {kind}", each)
    if not connector.modules:
        yield Problem(connector.name, "modules", "it offers no module")


def _of_module(
    module: ModuleDef, connector: Connector, find: Callable[[str], ModuleDef | None]
) -> list[Callable[[], None]]:
    found = [
        _bound(check_words, module),
        _bound(check_form, module),
        _bound(check_options, module, find),
        _bound(check_units, module),
    ]
    if is_call(module):
        found += [_bound(one, module) for one in (check_repeatable, check_climbing, check_effect)]
        found.append(_bound(check_below_base, module, connector))
    if module.kind == "instant":
        found += [
            _bound(one, module)
            for one in (
                check_hook,
                check_bundles,
                check_strange_deliveries,
                check_registration,
            )
        ]
    return found


def _bound(check: Callable[..., None], *given: Any) -> Callable[[], None]:
    def ask() -> None:
        check(*given)

    ask.__name__ = check.__name__.removeprefix("check_")
    return ask


def _asked(where: str, checks: list[Callable[[], None]]) -> Iterator[Problem]:
    for check in checks:
        try:
            check()
        except NotAsked:
            continue
        except AssertionError as error:
            yield Problem(where, check.__name__, str(error) or "it does not hold")
        except Fault as error:
            yield Problem(where, check.__name__, str(error.params.get("reason", error.message)))
        except JunctorError as error:
            yield Problem(where, check.__name__, error.message)
        except Exception as error:  # a strange connector may raise anything; its author must know
            yield Problem(where, check.__name__, f"it raised {type(error).__name__}: {error}")
