"""Who answers a rehearsal's effects: connectors make their requests, a script answers them.

What a connector does is done: arguments are bound, its function makes the request, the connection
signs it, the answer becomes bundles or an error just as in a worker. Only the network, the database
and the accounts are missing; secrets are made up here and never shown.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from junctor import errors
from junctor.app.desk_records import Records
from junctor.engine.commands import Call, Outcome, Settle
from junctor.errors import (
    DataError,
    Fault,
    JunctorError,
    Misconfigured,
    NotSent,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language import forms
from junctor.language.asks.code import RunCode
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.connector import (
    Ask,
    Bundle,
    Connection,
    Connector,
    Effect,
    ModuleDef,
    Multipart,
    Request,
    Response,
    Secret,
)
from junctor.language.files import Content, File
from junctor.language.polling import fresh, listed_since
from junctor.runtime.accounts import absolute
from junctor.runtime.effects import Send, listed, perform
from junctor.runtime.outcomes import half_done, refusal
from junctor.testing.cases import Given, Rule
from junctor.testing.matching import as_data, differences, glob
from junctor.testing.mock import Samples
from junctor.testing.rehearsal import Setting

__all__ = ["Desk", "Unscripted", "shown_request"]

T = TypeVar("T")
_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRET = "rehearsal-secret"  # noqa: S105  # made up, and the same for everybody


class Unscripted(Misconfigured):
    """{reason}"""


class Desk:
    """The world of a rehearsal, by the rules of a test case. ``requests`` keeps what was sent."""

    def __init__(
        self,
        given: Given,
        connector: Callable[[str], Connector | None],
        samples: Samples,
        setting: Setting,
        *,
        auto_commit: bool = True,
    ) -> None:
        self._given = given
        self._connector = connector
        self._samples = samples
        self._setting = setting
        self._auto_commit = auto_commit
        self._used = [0] * len(given.answers)
        for rule in given.answers:
            if rule.error is not None:
                _error(rule.error)  # an unknown name is said now, not when it would be needed
        self._records = Records(given.records, setting.zone)
        self.requests: list[dict[str, Any]] = []

    @property
    def records(self) -> dict[str, Any]:
        """Data stores as they are now."""
        return self._records.stores

    def answer(self, call: Call) -> Outcome:
        """How a call ends. `Unscripted` if the case does not say."""
        module = call.address.module
        given = as_data(call.arguments)
        rule = self._rule(
            lambda rule: rule.module == module and rule.request is None and rule.ask is None, given
        )
        if rule is not None:
            if rule.error is not None:
                return Outcome(error=_error(rule.error))
            if rule.timeout:
                return self._failed(_silence(), call.module.effect)
            if rule.unreachable:
                return Outcome(error=_unreachable("the vendor"))
            return Outcome(bundles=[dict(bundle) for bundle in rule.bundles or ()])
        if call.module.kind == "waiter":  # nothing came, unless the case says what
            return Outcome(bundles=[self._samples.bundle(module)] if self._given.samples else [])
        if call.module.function is unsupported:
            return self._sample(module, f"module {module} ({call.module.id}) is called")
        return self._real(call)

    def _real(self, call: Call) -> Outcome:
        """What `runtime.drive` does, without its journal."""
        module = call.module
        connector = self._connector(module.connector)
        effect: Effect = module.effect
        acted = False
        try:
            zone = self._setting.zone
            arguments = forms.bind(module, call.arguments or {}, call.parameters, zone=zone)
            if module.effect_of is not None:
                effect = module.effect_of(arguments)

            async def send(request: Request | Ask, _step: int) -> Any:
                nonlocal acted
                if isinstance(request, Ask):
                    answer = self._asked(call, request)
                    acted |= effect == "once"
                    return answer
                response = self._sent(call, connector, request)
                good = 200 <= response.status < 300
                if not good and request.raises:
                    error = refusal(connector, response, effect)
                    raise half_done(error) if acted else error
                acted |= good and effect == "once" and request.method.upper() not in _LOOKS
                return response

            if module.poll is None:
                bundles = _now(perform(module, arguments, send))
            else:
                bundles = self._fresh(call, module, arguments, send)
            if self._auto_commit:
                self._records.commit()
            return Outcome(bundles=bundles)
        except Unscripted as unscripted:
            return self._sample(call.address.module, unscripted.message)
        except Exception as error:
            known = error if isinstance(error, JunctorError) else None
            if known is None:
                known = Fault(reason=f"{module.id} raised {type(error).__name__}: {error}")
            if acted and not isinstance(known, VendorRefused):
                known = half_done(known)
            return self._failed(known, effect)

    def _fresh(
        self, call: Call, module: ModuleDef, arguments: Mapping[str, Any], send: Send
    ) -> list[Bundle]:
        """What a trigger has not given before in this rehearsal."""
        poll = module.poll
        assert poll is not None
        state = self._records.do(call, ReadState())
        start = self._given.start or "all"
        since = listed_since(state, poll, start=start)
        items = _now(listed(module, arguments, send, since=since))
        limit = arguments.get(poll.limit_field)
        most = None if limit is None else int(limit)
        bundles, after = fresh(items, state, poll, limit=most, start=start)
        self._records.do(call, WriteState(after))
        return bundles

    def settle(self, settled: Settle) -> None:
        """Data stores keep what was committed; what is held or taken back is not seen in them."""
        if settled.records == "commit":
            self._records.commit()
        else:
            self._records.rollback()

    def _failed(self, error: JunctorError, effect: Effect) -> Outcome:
        if isinstance(error, Uncertain) and effect != "once":
            error = VendorUnavailable(f"No complete answer: {error.message}", status=0)
        return Outcome(error=error)

    def _sample(self, module: int, what: str) -> Outcome:
        if not self._given.samples:
            raise Unscripted(
                reason=f'nothing answers it: {what}. Add a rule to "answers", '
                'or set "samples": true.'
            )
        return Outcome(bundles=[self._samples.bundle(module)])

    def _rule(self, fits: Callable[[Rule], bool], subject: Any) -> Rule | None:
        for number, rule in enumerate(self._given.answers):
            spent = rule.times is not None and self._used[number] >= rule.times
            if spent or not fits(rule):
                continue
            if rule.where is not None and differences(rule.where, subject):
                continue
            self._used[number] += 1
            return rule
        return None

    # Requests.

    def _sent(self, call: Call, connector: Connector | None, request: Request) -> Response:
        module = call.address.module
        target = self._signed(call, connector, request)
        shown = {"module": module, **shown_request(target)}
        name: str = shown["request"]
        rule = self._rule(
            lambda rule: (
                rule.request is not None
                and rule.module in (None, module)
                and _asked_for(rule.request, name)
            ),
            shown,
        )
        self.requests.append(shown)
        if rule is None:
            wanted = [each.request for each in self._given.answers if each.request is not None]
            known = f"; there are rules for {', '.join(wanted)}" if wanted else ""
            raise Unscripted(f"module {module} sends {name}{known}")
        if rule.error is not None:
            raise _error(rule.error)
        if rule.unreachable:
            raise _unreachable(urlsplit(target.url).netloc)
        if rule.timeout:
            raise _silence()
        return _response(rule, target.url)

    def _signed(self, call: Call, connector: Connector | None, request: Request) -> Request:
        if connector is None or not connector.connections:
            return request
        kind = next(iter(connector.connections))
        if call.module.needs_connection is not None:
            needed = call.module.needs_connection(call.parameters, call.arguments or {})
            if not needed:
                return request
            kind = next(iter(call.module.connection_kinds.get(needed[0], ())), kind)
        definition = connector.connections[kind]
        given = self._given.connections.get(connector.name, {})
        account = _account(definition, given)
        base = definition.base_of(account) if definition.base_of else definition.base_url
        return definition.sign(absolute(request, str(given.get("base_url") or base)), account)

    # What is asked of Junctor itself.

    def _asked(self, call: Call, ask: Ask) -> Any:
        kind = type(ask).__name__
        shown = as_data(_fields(ask))
        module = call.address.module
        rule = self._rule(lambda rule: rule.ask == kind and rule.module in (None, module), shown)
        if rule is not None:
            if rule.error is not None:
                raise _error(rule.error)
            return None if rule.answer is msgspec.UNSET else rule.answer
        if self._records.knows(ask):
            return self._records.do(call, ask)
        if isinstance(ask, RunCode):
            from junctor.runtime.services.code import execute

            return execute(ask)
        raise Unscripted(f"module {module} ({call.module.id}) asks for {kind}({shown})")


def unsupported(**_arguments: Any) -> Any:
    """Stands for a module that nobody here offers."""
    raise Misconfigured(reason="a module that is not offered here can't be called")


def shown_request(request: Request) -> dict[str, Any]:
    """A request as test files have it; without what a connection added to be believed."""
    address, _, query = request.url.partition("?")
    pairs = [*parse_qsl(query, keep_blank_values=True), *_pairs(request.query)]
    shown: dict[str, Any] = {"request": f"{request.method.upper()} {address}"}
    if pairs:
        shown["query"] = _grouped(pairs)
    headers = {
        name.lower(): "…" if name.lower() == "authorization" else value
        for name, value in request.headers.items()
    }
    if headers:
        shown["headers"] = headers
    if request.json is not None:
        shown["json"] = as_data(request.json)
    if request.form is not None:
        shown["form"] = _grouped(_pairs(request.form))
    if isinstance(request.body, Multipart):
        shown["parts"] = [
            {
                "name": part.name,
                "data": as_data(content_shown(part.data)),
                "filename": part.filename,
            }
            for part in request.body.parts
        ]
    elif isinstance(request.body, File):
        shown["body"] = content_shown(request.body)
    elif request.body is not None:
        shown |= content_of(request.body, headers.get("content-type", ""))
    masked: dict[str, Any] = _masked(shown)
    return masked


def content_shown(content: Content) -> Any:
    """What a part or a body holds; of a kept file, how long it is."""
    return f"a file of {content.size:,} bytes" if isinstance(content, File) else content


def content_of(body: bytes, content_type: str) -> dict[str, Any]:
    """A body as ``json`` if it is said to be, else as ``body``."""
    if "json" in content_type.lower():
        try:
            return {"json": json.loads(body)}
        except ValueError:
            pass  # it is shown as the text that it is
    return {"body": as_data(body)}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_SECRET, "…")
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _pairs(values: Any) -> list[tuple[str, Any]]:
    rows = values.items() if isinstance(values, Mapping) else values
    out: list[tuple[str, Any]] = []
    for name, value in rows:
        several = value if isinstance(value, list | tuple) else [value]
        out += [(str(name), as_data(each)) for each in several if each is not None]
    return out


def _grouped(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Names and values; those of a repeated name are in a list."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _asked_for(pattern: str, name: str) -> bool:
    method, _, url = pattern.strip().partition(" ")
    verb, _, address = name.partition(" ")
    if url.startswith("/"):
        address = urlsplit(address).path
    return glob(method.upper(), verb) and glob(url.strip(), address)


def _response(rule: Rule, url: str) -> Response:
    headers = {name.lower(): value for name, value in rule.headers.items()}
    body = (rule.text or "").encode()
    if rule.json is not msgspec.UNSET:
        body = msgspec.json.encode(rule.json)
        headers.setdefault("content-type", "application/json")
    return Response(rule.status or 200, headers, body, url)


def _account(definition: Connection, given: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for slot in forms.slots_of(definition.form):
        chosen = given.get(slot.key, given.get(slot.name))
        if chosen is not None:
            values[slot.name] = Secret(str(chosen)) if slot.hint is Secret else chosen
        elif slot.required:
            made_up = Secret(_SECRET) if slot.hint is Secret else f"sample-{slot.name}"
            values[slot.name] = made_up
    return definition.form(**values)


def _fields(ask: Ask) -> dict[str, Any]:
    if not dataclasses.is_dataclass(ask):
        return {}
    made = {each.name: getattr(ask, each.name) for each in dataclasses.fields(ask)}
    return {name: value if _plain(value) else str(value) for name, value in made.items()}


def _plain(value: Any) -> bool:
    try:
        as_data(value)
    except DataError:
        return False
    return True


def _now(work: Coroutine[Any, Any, list[Bundle]]) -> list[Bundle]:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        made: list[Bundle] = stop.value
        return made
    work.close()
    raise Fault(reason="a module waited for something in a rehearsal")


def _silence() -> Uncertain:
    return Uncertain("No complete answer came in time; whether it happened is unknown")


def _unreachable(host: str) -> NotSent:
    return NotSent(host=host, reason="the test says that it can't be reached")


def _error(given: str | dict[str, Any]) -> JunctorError:
    said = {"type": given} if isinstance(given, str) else given
    name = str(said.get("type") or said.get("code") or "")
    kind = _ERRORS.get(name)
    if kind is None:
        raise Unscripted(reason=f"there is no error {name!r}; known are {', '.join(_ERRORS)}")
    message = str(said.get("message") or "as the test says")
    error = kind(message)
    if isinstance(error, errors.Retry) and said.get("retry_after") is not None:
        error.retry_after = float(said["retry_after"])
    return error


def _known_errors() -> dict[str, type[JunctorError]]:
    kinds = [getattr(errors, name) for name in errors.__all__]
    found = {name: kind for kind in kinds for name in (kind.__name__, kind.code)}
    for kind in kinds:
        found.setdefault(kind.make_type, kind)
    return found


_ERRORS = _known_errors()
"""By our name, by code, and by the type that a mapping reads."""
