"""Doing modules' operations against an address, with each exchange noted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from junctor.adapters.transport import AiohttpTransport
from junctor.errors import JunctorError, VendorRefused
from junctor.language.connector import (
    Ask,
    Bundle,
    Connector,
    HookDef,
    ModuleDef,
    Registration,
    Request,
    Response,
    Takeover,
)
from junctor.language.forms import bind, build, slots_of
from junctor.runtime.accounts import absolute
from junctor.runtime.effects import perform
from junctor.simulators.kit import Simulator
from tools.conform.prism import refusals_in, violations_in
from tools.conform.stories import Story

__all__ = ["Exchange", "Stage", "Violation", "hand_made", "on_stage", "template_of"]

CONNECTION = "connection"
"""Stands for a module where a connection's own request is checked."""
OURS = "https://junctor.example.com/hook/abc"
NO_PATH = b"NO_PATH_MATCHED"
_current: ContextVar[str] = ContextVar("_current", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What Prism, or the play itself, says is wrong."""

    module: str
    request: str
    side: str
    """``request``, ``response``, or ``play``: the operation did not end as it should."""
    message: str

    def __str__(self) -> str:
        return f"{self.module}: {self.side} of {self.request}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and the status of its answer."""

    module: str
    method: str
    path: str
    status: int


@dataclass(slots=True)
class Stage:
    """A connector, an account of it, and where its requests go."""

    connector: Connector
    account: Any
    base: str
    """The base URL, of the proxy or the simulator."""
    behind: str
    """The base URL of the simulator itself."""
    transport: AiohttpTransport
    exchanges: list[Exchange] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    async def send(self, request: Request | Ask, _step: int) -> Any:
        """Sends as the runtime does; raises `VendorRefused` on a refusal, as there."""
        if not isinstance(request, Request):
            raise TypeError("a vendor's module asks something of Junctor itself")
        response = await self._sent(request, self.base)
        if NO_PATH in response.body and self.base != self.behind:
            self._note(request, "request", "the document has no such operation")
            response = await self._sent(request, self.behind)
        parts = urlsplit(absolute(request, self.base).url)
        self.exchanges.append(
            Exchange(
                module=_current.get(),
                method=request.method,
                path=parts.path,
                status=response.status,
            )
        )
        if request.raises and response.status >= 400:
            text = self.connector.error_text
            raise VendorRefused(status=response.status, reason=text(response) if text else "")
        return response

    async def judged(self, module: str, request: Request) -> None:
        """Sends a request to a mock, whose answer says only what it thinks of the request."""
        before = _current.set(module)
        try:
            response = await self._sent(request, self.base)
            if b"stoplight.io/prism/errors" in response.body:
                for message in refusals_in(response.body):
                    self._note(request, "request", message)
            self.exchanges.append(
                Exchange(module=module, method=request.method, path="", status=response.status)
            )
        finally:
            _current.reset(before)

    async def _sent(self, request: Request, base: str) -> Response:
        [connection, *_] = self.connector.connections.values()
        signed = connection.sign(absolute(request, base), self.account)
        response = await self.transport.send(signed)
        for row in violations_in(response.headers):
            location = [str(part) for part in row.get("location", ())]
            side = location[0] if location else "request"
            # A story may send nonsense to hear the refusal; whether it expected one, it says.
            if side == "request" and 400 <= response.status < 500:
                continue
            where = ".".join(location[1:])
            self._note(request, side, f"{where}: {row.get('message')}", response.status)
        return response

    def _note(self, request: Request, side: str, message: str, status: int = 0) -> None:
        shown = f"{request.method} {urlsplit(request.url).path}" + (
            f" ({status})" if status else ""
        )
        found = Violation(module=_current.get(), request=shown, side=side, message=message)
        if found not in self.violations:
            self.violations.append(found)

    def failed(self, module: str, error: BaseException) -> None:
        """Notes that something did not end as it should."""
        message = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        self.violations.append(
            Violation(module=module, request="the whole", side="play", message=message)
        )

    async def do(self, module: str, **mapper: Any) -> list[Bundle]:
        """One operation of a module, with values as mapped."""
        definition = self.connector.modules[module]
        before = _current.set(definition.id)
        try:
            return await perform(definition, bind(definition, mapper, {}), self.send)
        finally:
            _current.reset(before)

    async def tell(self, story: Story, simulator: Simulator) -> None:
        """Plays a story on a fresh simulator; its failure is a violation."""
        simulator.reset()
        try:
            await story.tell(self.do, simulator)
        except (AssertionError, JunctorError, LookupError, TypeError, ValueError) as error:
            self.failed(f"{self.connector.name}, {story.name}", error)
        except BaseException as error:
            if type(error).__module__.startswith("_pytest"):  # an expected refusal did not come
                self.failed(f"{self.connector.name}, {story.name}", error)
            else:
                raise

    async def connect(self) -> None:
        """The connection's own test."""
        [connection, *_] = self.connector.connections.values()
        test = connection.test
        request = test(self.account) if callable(test) else test
        if request is not None:
            before = _current.set(f"{self.connector.name}: {CONNECTION}")
            try:
                await self.send(request, 0)
            finally:
                _current.reset(before)

    async def listen(self, module: ModuleDef, simulator: Simulator) -> None:
        """What an instant trigger sends: its registration, and what fills a gap."""
        hook = module.hook
        assert hook is not None
        try:
            settings = await self._settings(hook)
            before = _current.set(module.id)
            try:
                if isinstance(hook.register, Registration):
                    await self._register(hook.register)
                elif isinstance(hook.register, Takeover):
                    await self._take_over(hook.register, settings)
                if hook.backfill is not None:
                    since = simulator.clock.date() - timedelta(days=400)
                    await self._driven(hook.backfill(since, settings))
            finally:
                _current.reset(before)
        except (AssertionError, JunctorError, LookupError, TypeError, ValueError) as error:
            self.failed(module.id, error)

    async def _settings(self, hook: HookDef) -> dict[str, Any]:
        """The hook's settings, filled from its pick-lists."""
        made: dict[str, Any] = {}
        for slot in slots_of(hook.settings) if hook.settings else ():
            if slot.field.options is not None:
                name = str(getattr(slot.field.options, "junctor_module", ""))
                rows = await self.do(name)
                made[slot.key] = rows[0].get(slot.field.option_value) if rows else ""
            elif slot.hint is bool:
                made[slot.key] = True  # what is optional is asked for, too
            elif not slot.required and slot.default not in (None, ""):
                made[slot.key] = slot.default
        return made

    async def _register(self, register: Registration) -> None:
        made = register.created(await self.send(register.create(OURS), 0))
        rows = [row[0] for row in register.listed(await self.send(register.listing(), 0))]
        assert made in rows, "what was registered is not listed"
        await self.send(register.delete(made), 0)

    async def _take_over(self, register: Takeover, settings: Mapping[str, Any]) -> None:
        place = register.place(settings)
        assert place, "the settings name no place"
        before = register.kept(await self.send(register.look(place), 0))
        register.check(before)
        await self.send(register.take(place, OURS, settings), 0)
        taken = register.kept(await self.send(register.look(place), 0))
        assert register.url(taken) == OURS, "the place does not have our address"
        await self.send(register.give_back(place, before), 0)

    async def _driven(self, flow: Generator[Request, Response, Any]) -> Any:
        try:
            request = next(flow)
            while True:
                request = flow.send(await self.send(request, 0))
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()


@asynccontextmanager
async def on_stage(
    connector: Connector, credentials: Mapping[str, Any], *, base: str, behind: str
) -> AsyncIterator[Stage]:
    """A stage with an account of these credentials, its transport open while the block runs."""
    [connection, *_] = connector.connections.values()
    known = {slot.key for slot in slots_of(connection.form)}
    account: Any = build(
        connection.form, {key: text for key, text in credentials.items() if key in known}
    )
    hosts = [urlsplit(base).netloc, urlsplit(behind).netloc]
    async with AiohttpTransport(hosts) as transport:
        yield Stage(connector, account, base, behind, transport)


def hand_made(connector: Connector) -> list[ModuleDef]:
    """The modules made by hand that send something to the vendor."""
    found = []
    for module in connector.modules.values():
        hook = module.hook
        sends = module.kind != "instant" or (
            hook is not None and (hook.register is not None or hook.backfill is not None)
        )
        if not module.generated and sends:
            found.append(module)
    return found


def template_of(path: str, templates: Iterable[str]) -> list[str]:
    """The document's paths that a request's path may be one of."""
    found = []
    for template in templates:
        parts = re.split(r"(\{[^}]*\})", template)
        shape = "".join("[^/]*" if part[:1] == "{" else re.escape(part) for part in parts)
        if re.fullmatch(shape, path) or re.fullmatch(shape, unquote(path)):
            found.append(template)
    return found
