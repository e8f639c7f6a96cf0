"""A double of SignalWire: calls, messages, recordings, faxes, numbers, and signed webhooks.

Shapes and codes are those of the vendor's OpenAPI documents of its Compatibility and REST APIs, and
of recordings of real answers from 2018 and 2019. The Compatibility API is served below
``/api/laml/2010-04-01`` and below ``/2010-04-01``, where the vendor's client libraries ask, each
with and without ``.json``. What is assumed: how long a call rings and a message takes, and the
codes of a few refusals (marked so in `signalwire_laml`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from junctor.simulators import signalwire_calls as life
from junctor.simulators.admin import body_as
from junctor.simulators.clock import Clock
from junctor.simulators.describe import Description
from junctor.simulators.hooks import Retries
from junctor.simulators.kit import Refused, Route, Simulator
from junctor.simulators.limits import Limits, Meter
from junctor.simulators.people import uuid_text
from junctor.simulators.signalwire_document import described
from junctor.simulators.signalwire_laml import Laml
from junctor.simulators.signalwire_rest import Rest
from junctor.simulators.signalwire_state import SignalWireState, keys, new_state
from junctor.simulators.wire import Reply, Request

__all__ = ["SignalWireSimulator"]

LAML = "/api/laml/2010-04-01"
ROOT = "/2010-04-01"
WRITES = frozenset({"POST", "PUT", "PATCH"})
LIMITS = Limits(maximum=13_800, interval_ms=10_000, daily=10**12)
"""Writes: 13,800 in ten seconds; reading is as good as free (the vendor's page on rate limits)."""
SHOWN_LIMIT = 50_000
"""What recorded answers had in ``X-RateLimit-Limit``."""


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Other limits than the vendor's."""

    max: int = LIMITS.maximum
    interval_ms: int = LIMITS.interval_ms
    backlog: int = 10_000
    """Messages that may be queued at once."""


class SignalWireSimulator(Simulator):
    """SignalWire, with a project of its own."""

    name: ClassVar[str] = "signalwire"
    title: ClassVar[str] = "SignalWire"
    # Status callbacks: three attempts in all. Requests for cXML are made once, see `life.asked`.
    retries: ClassVar[Retries] = Retries(limit=2, base=1.0, cap=10.0)

    def __init__(
        self, *, seed: int | None = None, clock: Clock | None = None, latency: float = 0.0
    ) -> None:
        self.keys = keys(seed)
        self.state = SignalWireState()
        self.backlog = 10_000
        self._laml = Laml(self)
        self._rest = Rest(self)
        clock = clock or Clock()
        self.meter = Meter(LIMITS, clock)
        super().__init__(seed=seed, clock=clock, latency=latency)

    @property
    def project(self) -> str:
        """The project's id, which the Compatibility API calls AccountSid."""
        return self.keys["project_id"]

    @property
    def credentials(self) -> dict[str, str]:
        """``space``, ``project_id``, ``api_token``; and ``signing_key``, for hooks."""
        return dict(self.keys)

    def routes(self) -> Iterable[Route]:
        """Both APIs; the Compatibility API in all its four spellings."""
        for method, path, operation, handler in self._laml.table():
            for base in (LAML, ROOT):
                # Of a path that ends in an id, the handler takes the suffix off.
                for suffix in ("",) if path.endswith("}") else ("", ".json"):
                    yield Route(
                        method=method,
                        path=base + path + suffix,
                        operation=operation,
                        handler=handler,
                        note=base,
                    )
        for method, path, operation, handler in self._rest.table():
            yield Route(method=method, path=path, operation=operation, handler=handler, note="rest")

    def described(self) -> Description:
        """What they take."""
        return described(self.state, self.project)

    def admin_routes(self) -> Iterable[Route]:
        """What comes in, what becomes of what goes out, and limits."""
        for path, handler in (
            ("inbound-calls", self._inbound_calls),
            ("inbound-messages", self._inbound_messages),
            ("outcomes", self._outcomes),
            ("limits", self._limits),
        ):
            yield Route(method="POST", path=f"/_sim/{path}", operation=path, handler=handler)

    def populate(self) -> None:
        """Two numbers and a little history."""
        self.state = new_state(self.chance, self.clock.date(), self.project)
        self.backlog = 10_000
        self.meter.limits = LIMITS
        self.meter.reset()

    def snapshot(self) -> dict[str, Any]:
        """All lists of the project."""
        return self.state.as_record()

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Checks project and token, then the limit of writes."""
        rest = not request.path.startswith((LAML, ROOT))
        headers = self._limit_headers()
        if not self._knows(request.headers.get("authorization", "")):
            raise Refused(
                401, "The project id or token is not valid", headers=headers, code=20003, rest=rest
            )
        if request.method in WRITES and not self.meter.take():
            raise Refused(
                429, "Too many requests", headers=self._limit_headers(), code=20429, rest=rest
            )
        if route is None:
            raise Refused(404, "Resource not found", headers=headers, code=20404, rest=rest)
        return self._limit_headers()

    def error(self, status: int, message: str | list[str], **more: Any) -> Reply:
        """The Compatibility API's refusal, or with ``rest`` the other's."""
        text = message if isinstance(message, str) else "; ".join(message)
        code = more.get("code", {401: 20003, 404: 20404, 429: 20429}.get(status, 10000))
        if more.get("rest"):
            words = {401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}
            if status in words:
                return Reply.json({"error": words[status]}, status)
            row = {"detail": text, "status": str(status), "code": str(code)}
            return Reply.json({"errors": [row]}, status)
        body = {"code": code, "message": text, "more_info": "https://signalwire.com"}
        return Reply.json({**body, "status": status}, status)

    def _knows(self, header: str) -> bool:
        kind, _, given = header.partition(" ")
        try:
            pair = base64.b64decode(given, validate=True)
        except (ValueError, binascii.Error):
            return False
        wanted = f"{self.project}:{self.keys['api_token']}".encode()
        return kind.lower() == "basic" and hmac.compare_digest(pair, wanted)

    def _limit_headers(self) -> tuple[tuple[str, str], ...]:
        own = self.meter.limits is LIMITS
        used = self.meter.limits.maximum - self.meter.remaining
        most = SHOWN_LIMIT if own else self.meter.limits.maximum
        reset = int(self.clock.date().timestamp()) + self.meter.limits.interval_ms // 1000
        return (
            ("x-ratelimit-limit", str(most)),
            ("x-ratelimit-remaining", str(max(0, most - used))),
            ("x-ratelimit-reset", str(reset)),
            ("x-request-id", uuid_text(self.chance)),
            ("x-runtime", "0.012345"),
        )

    # What happens on demand.

    def _inbound_calls(self, request: Request) -> Reply:
        made = life.come_in(self, body_as(request, life.InboundCalls))
        return Reply.json({"calls": [call["sid"] for call in made]}, 202)

    def _inbound_messages(self, request: Request) -> Reply:
        return Reply.json(life.receive(self, body_as(request, life.InboundMessage)), 202)

    def _outcomes(self, request: Request) -> Reply:
        body = body_as(request, life.OutcomeBody)
        self.state.outcomes[body.to] = body.outcome()
        return Reply.json(msgspec.to_builtins(body))

    def _limits(self, request: Request) -> Reply:
        body = body_as(request, LimitsBody)
        self.meter.limits = Limits(maximum=body.max, interval_ms=body.interval_ms, daily=10**12)
        self.meter.reset()
        self.backlog = body.backlog
        return Reply.json(msgspec.to_builtins(body))
