"""The admin API below ``/_sim``: look inside a simulator, reset it, make things go wrong.

It has no password: it is for the machine it runs on. Requests that another web page could have
caused (the ``Origin`` of any but our own, or a ``Host`` that is no address of this machine while
only this machine is served) are refused, so that a page in the user's browser can't reach it. Our
own page is at ``/_sim/``, see `simulators.page`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from junctor.simulators.describe import document
from junctor.simulators.faults import Fault
from junctor.simulators.page import PAGES, forms_of
from junctor.simulators.routes import Handler, Route, Router
from junctor.simulators.wire import BadBody, Exchange, Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.kit import Simulator

__all__ = ["Admin", "AdminRefused", "body_as"]

T = TypeVar("T")


class AdminRefused(Exception):
    """An admin request that can't be done; the text says what to mend."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    factor: float


def body_as(request: Request, shape: type[T]) -> T:
    """The body as ``shape``; `AdminRefused` 400 names the field that doesn't fit."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=shape)
    except ValueError as error:
        raise AdminRefused(400, str(error)) from error


class Admin:
    """Answers requests below ``/_sim`` for one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

        def route(method: str, path: str, handler: Handler, operation: str) -> Route:
            return Route(method=method, path=path, operation=operation, handler=handler)

        own = tuple(simulator.admin_routes())
        self._posts = {each.path for each in own if each.method == "POST"}
        self._router = Router(
            (
                route("GET", "/_sim", self._overview, "overview"),
                route("GET", "/_sim/forms", self._forms, "forms"),
                route("GET", "/_sim/openapi.json", self._openapi, "openapi"),
                route("GET", "/_sim/state", self._state, "state"),
                route("POST", "/_sim/reset", self._reset, "reset"),
                route("GET", "/_sim/requests", self._requests, "requests"),
                route("DELETE", "/_sim/requests", self._forget_requests, "forget_requests"),
                route("GET", "/_sim/faults", self._faults, "faults"),
                route("POST", "/_sim/faults", self._add_fault, "add_fault"),
                route("DELETE", "/_sim/faults", self._clear_faults, "clear_faults"),
                route("DELETE", "/_sim/faults/{id}", self._remove_fault, "remove_fault"),
                route("GET", "/_sim/clock", self._clock, "clock"),
                route("POST", "/_sim/clock", self._set_clock, "set_clock"),
                route("GET", "/_sim/deliveries", self._deliveries, "deliveries"),
                *own,
            )
        )

    def application(self, request: Request, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answers one request; with ``?wait=true`` once no delivery is pending."""
        try:
            self._check_origin(request)
            shown = PAGES.get(request.path) if request.method == "GET" else None
            if shown is not None:
                exchange.send(shown(request))
                return None
            found = self._router.find(request.method, request.path)
            if found is None:
                raise AdminRefused(404, f"no {request.method} {request.path}")
            request.params = found[1]
            if request.query.get("wait") == "true":
                return self._when_settled(found[0].handler, request, exchange)
            exchange.send(found[0].handler(request))
        except AdminRefused as refusal:
            exchange.send(Reply.json({"error": str(refusal)}, refusal.status))
        except (BadBody, ValueError) as error:
            exchange.send(Reply.json({"error": str(error)}, 400))
        return None

    async def _when_settled(self, handler: Handler, request: Request, exchange: Exchange) -> None:
        try:
            if request.method == "GET":
                await self._sim.deliveries.settled()
                exchange.send(handler(request))
            else:
                reply = handler(request)
                await self._sim.deliveries.settled()
                exchange.send(reply)
        except AdminRefused as refusal:
            exchange.send(Reply.json({"error": str(refusal)}, refusal.status))
        except (BadBody, ValueError) as error:
            exchange.send(Reply.json({"error": str(error)}, 400))

    def _check_origin(self, request: Request) -> None:
        ours = {self._sim.origin}
        scheme, _, address = self._sim.origin.partition("://")
        local = address.startswith(("127.", "[::1]", "localhost"))
        if local:  # the name that this machine was called by is checked below
            ours.add(f"{scheme}://" + request.headers.get("host", ""))
        if request.headers.get("origin", self._sim.origin) not in ours:
            raise AdminRefused(403, "the admin API is not for other web pages (see its Origin)")
        if local:
            host = request.headers.get("host", "").rpartition(":")[0] or "127.0.0.1"
            if not (host.startswith("127.") or host in {"localhost", "[::1]"}):
                raise AdminRefused(403, f"the admin API serves this machine only, not {host!r}")

    def _overview(self, _request: Request) -> Reply:
        sim = self._sim
        return Reply.json(
            {
                "name": sim.name,
                "title": sim.title,
                "base_url": sim.base_url,
                "admin_url": sim.admin_url,
                "credentials": sim.credentials,
                "requests": sim.journal.total,
            }
        )

    def _forms(self, _request: Request) -> Reply:
        return Reply.json(forms_of(self._sim.name, self._posts))

    def _openapi(self, _request: Request) -> Reply:
        return Reply.json(document(self._sim))

    def _state(self, _request: Request) -> Reply:
        return Reply.json(self._sim.snapshot())

    def _reset(self, _request: Request) -> Reply:
        self._sim.reset()
        return Reply.json({"reset": True})

    def _requests(self, request: Request) -> Reply:
        query = request.query
        return Reply.json(
            self._sim.journal.as_record(
                limit=_number(query.get("limit", "100"), "limit"),
                operation=query.get("operation"),
            )
        )

    def _forget_requests(self, _request: Request) -> Reply:
        self._sim.journal.clear()
        return Reply.json({"cleared": True})

    def _faults(self, _request: Request) -> Reply:
        return Reply.json({"faults": [rule.as_record() for rule in self._sim.faults.rules]})

    def _add_fault(self, request: Request) -> Reply:
        fault = self._sim.faults.add(body_as(request, Fault))
        return Reply.json({"fault": fault.as_record()}, 201)

    def _clear_faults(self, _request: Request) -> Reply:
        self._sim.faults.clear()
        return Reply.json({"faults": []})

    def _remove_fault(self, request: Request) -> Reply:
        number = _number(request.params["id"], "id")
        if not self._sim.faults.remove(number):
            raise AdminRefused(404, f"no fault {number} is in force")
        return self._faults(request)

    def _clock(self, _request: Request) -> Reply:
        return Reply.json({"factor": self._sim.clock.factor, "now": self._sim.clock.now()})

    def _set_clock(self, request: Request) -> Reply:
        self._sim.clock.factor = body_as(request, _ClockBody).factor
        return self._clock(request)

    def _deliveries(self, request: Request) -> Reply:
        query = request.query
        return Reply.json(
            self._sim.deliveries.as_record(
                limit=_number(query.get("limit", "1000"), "limit"), status=query.get("status")
            )
        )


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise AdminRefused(400, f"{name}: {text!r} is no whole number")
    return int(text)
