"""What a connector is made of: frozen data and pure functions.

A connector author writes decorated functions. A function's signature is the form, its docstring the
help, and its result a `Request` value; nothing here or in a connector does I/O. Work that takes two
requests is a generator that yields `Request`s and is sent `Response`s (and must be deterministic:
no clock, no randomness). The decorators return the very same function and register a `ModuleDef`.

    crisp = Connector(name="crisp", label="Crisp", ...)

    @crisp.action("Send a message", effect="once", items="data")
    def send_message(website_id: Website, text: Annotated[str, Field(label="Text")]) -> Request:
        \"\"\"Sends a message in a conversation.\"\"\"
        return Request("POST", path("website", website_id, "message"), json={"content": text})
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from junctor.errors import DataError, JunctorError, Misconfigured
from junctor.language.budgets import Budget
from junctor.language.deliveries import ACCEPTED, Answer, AppHook, Delivery, Verifier
from junctor.language.messages import (
    Multipart,
    Part,
    Proxy,
    Request,
    Response,
    Secret,
    Tls,
)
from junctor.language.oauth import OAuth, Token
from junctor.language.paging import Paging
from junctor.language.recovery import Asked, Backfill, Missed, Probe
from junctor.language.registering import Registration, Takeover

__all__ = [
    "Answer",
    "AppHook",
    "Ask",
    "Asked",
    "Asks",
    "Backfill",
    "Budget",
    "Bundle",
    "Connection",
    "Connector",
    "Delivery",
    "Effect",
    "Example",
    "Field",
    "Flow",
    "Grant",
    "HookDef",
    "Kind",
    "Missed",
    "ModuleDef",
    "Multipart",
    "OAuth",
    "Paging",
    "Part",
    "Poll",
    "Probe",
    "Proxy",
    "Registration",
    "Request",
    "Response",
    "Secret",
    "Takeover",
    "Tls",
    "Token",
    "Verifier",
    "path",
]

Bundle = dict[str, Any]
"""One item moving between modules: text keys, values as in `language.values`."""

Effect = Literal["pure", "read", "idempotent", "keyed", "once"]
"""What an operation does to the world, and so what may be done after an unknown outcome.

pure        touches nothing; may be evaluated again
read        looks, changes nothing; may be repeated
idempotent  changes, but twice is as once (PUT, DELETE, upsert); may be repeated
keyed       carries an idempotency key the vendor honours; may be repeated with the same key
once        must never be repeated by itself
"""

Kind = Literal[
    "trigger",  # polls
    "instant",  # a hook's deliveries
    "action",
    "search",
    "transform",  # pure: arguments in, bundles out
    "responder",  # answers the caller of the hook
    "router",
    "if_else",
    "merge",
    "iterator",
    "aggregator",
    "repeater",
    "set_variables",
    "get_variables",
    "sleep",
    "waiter",  # waits for a delivery or a person (`language.asks.waits.Await`)
    "returner",  # gives values back to who started the run
    "namer",  # names the run
    "directive",
    "placeholder",
]
"""How the engine treats a module; those after *transform* are flow control done by the engine."""

R = TypeVar("R", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How one argument of a module, connection or hook appears in a form."""

    label: str
    help: str = ""
    example: Any = None
    options: Callable[..., Any] | None = None
    """A search of the same connector whose results are the pick-list."""
    option_value: str = "id"
    """Dotted path, in each result, to the value."""
    option_label: str = "name"
    """Dotted path to what is shown; where there is nothing, the value is."""
    options_from: Mapping[str, str] = field(default_factory=dict)
    """For a list that depends on what else is chosen: a field of the search → the field of this
    form (of the same row, else further out) that says it. Not needed for fields of one name that
    the search can't do without, or that are picked from the same list on both sides."""
    options_with: Mapping[str, Any] = field(default_factory=dict)
    """What other fields of the search hold, as mapped: ``{"startDate": "{{now}}"}``; what
    ``options_from`` finds in the form counts before it."""
    multiline: bool = False
    advanced: bool = False
    format: str | None = None
    """JSON Schema format: ``date-time``, ``email``, ``uri``, ``phone`` …"""
    minimum: float | None = None
    maximum: float | None = None
    key: str | None = None
    """The name in blueprints, where it can't be a Python name (``from``)."""
    static: bool = False
    """Lives in the blueprint's ``parameters`` and can't be mapped."""


class Ask:
    """Something that a module asks of Junctor itself: a record, a mail, a run of another scenario.

    A value like `Request`, returned or yielded in its place; the answer is what its own docstring
    says. The kinds are in `language.asks`; `runtime.services` does them.
    """

    __slots__ = ()


Flow = Generator[Request, Response, Any]
"""Work of several requests; its return value is the bundle, or a list of bundles."""

Asks = Generator[Ask, Any, Any]
"""The same of several `Ask`s, each sent its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How a trigger that polls tells new items from old. Its function lists like a search's; the
    framework remembers where it was, passes on what is new, oldest first, and no more than the
    limit at a time.
    """

    id: Callable[[Bundle], str]
    date: Callable[[Bundle], datetime | None] | None = None
    """The item's instant, where it has one; else the ids alone say what is new."""
    newest_first: bool = True
    """The order in which the function lists, for items without a date."""
    limit_field: str = "limit"
    """The argument that caps the bundles of one cycle."""
    mark: Callable[[Bundle], str] | None = None
    """What is another text when the item has changed: its own stamp, or a hash of it. With it, a
    changed item is passed on again. The function must then list all items, every time."""
    complete: Callable[[Bundle, Mapping[str, Any]], Asks] | None = None
    """Where the listing is light: makes the bundles of an item that is passed on, from it and the
    function's arguments. It may be done again, so what it asks for must bear that."""
    overlap: timedelta = timedelta(0)
    """How much older than the newest item passed on a new one may be."""
    page: int | None = None
    """Once it has looked before, a listing that is newest first ends with the first page, of this
    size, that holds an item older than that. ``None``: it lists to its limit each time."""
    since: Callable[[Request, datetime], Request] | None = None
    """The function's request for no older items; it may list more, and never less."""
    most: int | None = None
    """How far the argument that caps the listing (``ModuleDef.limit_field``) is raised, until a
    listing that is newest first comes to what is not new. ``None``: it is taken as it is."""


Signer = Callable[[Request, Any], Request]
"""Gets the request with its whole address. May change headers, query, ``tls`` and ``proxy``; raises
`Misconfigured` if this account may not be used for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """How an account gets its access token (OAuth 2.0). All functions are pure.

    ``request(form)`` → the request for a token, or ``None`` if the token was typed;
    ``granted(response)`` → the `Token` of a good answer, else raises;
    ``put(form, token)`` → the form that the connection's ``sign`` gets.
    """

    request: Callable[[Any], Request | None]
    granted: Callable[[Response], Token]
    put: Callable[[Any, Token], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A kind of account: its form, how requests are signed with it, and how it is tested."""

    form: type
    """A frozen dataclass; its fields are ``Annotated[T, Field(...)]``, `Secret` ones are sealed."""
    base_url: str
    """Where its requests go. Empty: ``sign`` itself says which hosts it may be used for."""
    sign: Signer
    base_of: Callable[[Any], str] | None = None
    """The same of one account, where every customer has an address of their own; then ``base_url``
    is only an example of one."""
    test: Request | Callable[[Any], Request | None] | None = None
    """A request that shows whether the account works; ``None``: see ``probe``. A function may give
    ``None``, too: a well-formed account of this kind is all that can be known."""
    probe: Ask | None = None
    """The same for accounts that are not reached by HTTP."""
    grant: Grant | None = None
    """For accounts whose requests carry a token that must be fetched."""
    oauth: OAuth | None = None
    """For accounts that their owner allows us to use, on the vendor's own page."""
    budgets: tuple[Budget, ...] = ()
    """What the vendor permits, as far as it is known; the governor keeps to all of them."""
    label: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDef:
    """How an instant trigger receives."""

    verify: Verifier
    dedup: Callable[[Delivery], str | None] = lambda _delivery: None
    """What makes two deliveries the same event; ``None``: only the sender's idempotency header."""
    order_key: Callable[[Delivery], str | None] = lambda _delivery: None
    register: Registration | Takeover | None = None
    settings: type | None = None
    """A frozen dataclass: the hook's own form (names as `Field.key`), secrets included."""
    answer: Answer | Callable[[Mapping[str, Any]], Answer] = ACCEPTED
    """What its caller is told once the delivery is durable; a function makes it of the hook's
    settings, without secrets, when the hook is loaded."""
    answer_to: Callable[[Delivery, Mapping[str, Any]], Answer | None] | None = None
    """The same where it depends on the delivery; ``None``: as ``answer``."""
    away: Callable[[Delivery, Mapping[str, Any]], Answer] | None = None
    """What a genuine caller is told when the delivery could not be stored within ``away_after``
    seconds: for vendors that must be told what to do, whatever happens here. ``None``: 503."""
    away_after: float = 2.0
    check: Callable[[Delivery], None] | None = None
    """Raises `DataError` on a genuine delivery that the hook's settings refuse; its caller is told
    so, with status 400. Only asked if ``inspects`` says so."""
    learn: Callable[[Delivery], list[dict[str, Any]]] | None = None
    """The fields of a delivery's bundle, for a hook whose setting ``learning`` is on."""
    inspects: Callable[[Mapping[str, Any]], bool] = lambda _settings: False
    """Whether a hook with these settings looks into deliveries before they are stored."""
    at_door: frozenset[str] = frozenset()
    """Settings that only matter when a delivery comes, and so are not stored with it."""
    may_respond: bool = False
    """Whether a responder module in the scenario may answer the caller."""
    mail: bool = False
    """Whether it is sent mail (``verifiers.by_mail``), and its address is a mail address."""
    backfill: Backfill | None = None
    """Lists what happened since an instant, so that what was missed in a downtime is fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A bundle as a module may give it out, so that it can be mapped before the first real one."""

    name: str
    """What it is one of: an event, say."""
    bundle: Bundle
    schema: Mapping[str, Any]
    """What such bundles hold, as JSON Schema."""


Needs = Callable[[Mapping[str, Any], Mapping[str, Any]], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDef:
    """A module on offer. ``id`` is ``connector:name``, as blueprints write it."""

    connector: str
    name: str
    label: str
    kind: Kind
    function: Callable[..., Any]
    help: str = ""
    effect: Effect = "pure"
    effect_of: Callable[[Mapping[str, Any]], Effect] | None = None
    """The effect of one operation, where it depends on the arguments (an HTTP method)."""
    probe: Probe | None = None
    """Of an effect of kind *once*: how to find out whether it happened."""
    handle: Callable[[Mapping[str, Any], str], Mapping[str, Any]] | None = None
    """Where a vendor takes a mark of ours for what it is sent (a fingerprint, an idempotency key):
    ``handle(arguments, key)`` fills it in if the user gave none. The key is 64 hexadecimal digits,
    the same for every attempt of one operation of a run and of no other. The probe gets what
    this gives. Asked only in runs."""
    version: int = 1
    """Raised by a breaking change; runs pin it."""
    blueprint_versions: tuple[int, ...] = ()
    """Values of ``version`` in blueprints this serves; empty: any."""
    aliases: tuple[str, ...] = ()
    """Other ids this module answers to in blueprints (older ones, white labels, invented names)."""
    items: str | None = None
    """Dotted path to the result inside the answer: a list for a search, an object for an action.
    Of one variable: the field that holds it, if not one of its own name."""
    paging: Paging | None = None
    hook: HookDef | None = None
    poll: Poll | None = None
    """For kind ``trigger``; one without it gives out what its function makes of its arguments."""
    typed: bool = False
    """Whether its parameters also get ``__expect__``, the form spec of the mapper as exported,
    ``__structure__``, the data structure it is bound to (``{"spec": […], "strict": bool}``), and
    ``__zone__``, the organisation's time zone."""
    limit_field: str | None = None
    """The argument that caps how many bundles a search emits."""
    transactional: bool = False
    """Whether what it writes (by `Ask`s) is applied, or taken back, with the run's commit."""
    remembers: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a placed module of this mapper keeps something for the run (`WriteState`), which a
    resumed run must find again; said for all that are ``transactional``."""
    stateless: bool = True
    """Whether its result depends on its arguments alone (variables make it false)."""
    verbatim: frozenset[str] = frozenset()
    """Fields of the mapper that are taken as typed: ``{{`` begins no expression in them (code)."""
    raw: bool = False
    """Whether ``function`` gets (parameters, mapper) as two mappings, not keyword arguments."""
    needs_connection: Needs | None = None
    """Which connections a placed module works through, by the parameters that name them, from its
    parameters and mapper; ``None``: one, if its connector has any."""
    connection_kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By such a parameter: the kinds of connection it may name; not there: any."""
    generated: bool = False
    """Whether it was made from a catalogue (`language.catalogue`), not by hand."""
    schema: Callable[[], Mapping[str, Any]] | None = None
    """A form that can't come from the signature; `forms.schema_of` calls it."""
    examples: Callable[[], Iterable[Example]] | None = None
    """What it gives out, one of each sort."""

    @property
    def id(self) -> str:
        """``connector:name``."""
        return f"{self.connector}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An integration with one service, and the registry of its modules."""

    name: str
    label: str
    docs: str = ""
    help: str = ""
    connections: Mapping[str, Connection] = field(default_factory=dict)
    """By kind, e.g. ``{"toky": …}``; the first is the default."""
    errors: Callable[[Response], JunctorError | None] | None = None
    """The vendor's own message from a refusal; ``None``: the general classes of `runtime`."""
    error_text: Callable[[Response], str] | None = None
    """Digs the vendor's message out of a complete refusal."""
    app_hook: AppHook | None = None
    """One address for all its instant triggers, where the vendor knows one per app."""
    modules: dict[str, ModuleDef] = field(default_factory=dict)

    def add(self, module: ModuleDef) -> ModuleDef:
        """Registers a module; `Misconfigured` on a name already taken."""
        if module.name in self.modules:
            raise Misconfigured(reason=f"{module.id} is defined twice")
        self.modules[module.name] = module
        return module

    def module(
        self, label: str, *, kind: Kind, name: str | None = None, **rest: Any
    ) -> Callable[[R], R]:
        """Registers the decorated function as a module of ``kind``; the function stays as it is."""

        def register(function: R) -> R:
            placed = self.add(
                ModuleDef(
                    connector=self.name,
                    name=name or _camel(function.__name__),
                    label=label,
                    kind=kind,
                    function=function,
                    help=inspect.getdoc(function) or "",
                    **rest,
                )
            )
            # So that `Field.options`, which names the function, can say which module it is.
            function.__dict__.setdefault("junctor_module", placed.name)
            return function

        return register

    def action(self, label: str, *, effect: Effect, **rest: Any) -> Callable[[R], R]:
        """Registers an action. ``effect`` must be said: nobody else can know it."""
        return self.module(label, kind="action", effect=effect, **rest)

    def search(self, label: str, **rest: Any) -> Callable[[R], R]:
        """Registers a search: one bundle per result."""
        return self.module(label, kind="search", effect="read", **rest)

    def transform(self, label: str, **rest: Any) -> Callable[[R], R]:
        """Registers a pure module: the function returns one bundle or an iterable of bundles."""
        return self.module(label, kind="transform", **rest)

    def instant(self, label: str, *, hook: HookDef, **rest: Any) -> Callable[[R], R]:
        """Registers an instant trigger: the function turns a `Delivery` into bundles."""
        return self.module(label, kind="instant", hook=hook, **rest)


def path(*segments: object) -> str:
    """A URL path of quoted segments: a mapped ``../x`` can't climb. `DataError` on empty ones."""
    out = []
    for segment in segments:
        text = str(segment) if segment is not None else ""
        if text in {"", ".", ".."}:
            raise DataError(reason=f"a part of the address is empty or a dot: {segments!r}")
        out.append(quote(text, safe=""))
    return "/" + "/".join(out)


def _camel(snake: str) -> str:
    head, *tail = snake.strip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)
