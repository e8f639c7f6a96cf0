"""A simulated Crisp account: tokens of three tiers, quotas, envelopes, and hooks of two kinds.

Established: the tiers and their daily quotas, the envelope, the words of `_REASONS` that the
connector knows too, signatures of plugin hooks (docs.crisp.chat, the vendor's libraries). Assumed,
since Crisp does not publish it: status codes of successes, the words of other refusals, that a
website token may do what a plugin's may, the short limit and that it answers 420, and how often a
hook is tried again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec

from junctor.simulators.admin import AdminRefused, body_as
from junctor.simulators.clock import Clock
from junctor.simulators.crisp_state import CrispState, WebsiteState, millis, new_state
from junctor.simulators.hooks import Retries, check_hook_url
from junctor.simulators.kit import Refused, Route, Simulator
from junctor.simulators.limits import Limits, Meter
from junctor.simulators.people import uuid_text
from junctor.simulators.wire import Reply, Request

__all__ = ["DAILY", "TIERS", "CrispAccount", "Tier"]

Tier = Literal["website", "plugin", "user"]
TIERS: tuple[Tier, ...] = ("website", "plugin", "user")
DAILY = {"website": 10_000, "plugin": 5_000, "user": 1_000_000}
"""Requests a day; a user's limits are not numbers that Crisp publishes."""
SHORT = 600
"""Requests in ten seconds. Assumed: Crisp says only that there is such a limit."""

_REASONS = {
    400: "invalid_data",
    401: "invalid_session",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "already_exists",
    420: "rate_limited",
    429: "quota_limit_exceeded",
    500: "internal_error",
    503: "unavailable",
}


class _LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    max: int = SHORT
    interval_ms: int = 10_000
    daily: int | None = None


class _HookBody(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    source: Literal["plugin", "website"] = "plugin"
    events: tuple[str, ...] = ("*",)


class _EventBody(msgspec.Struct, forbid_unknown_fields=True):
    event: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    website_id: str | None = None
    signature: Literal["good", "bad", "none"] = "good"
    age: int = 0
    """Seconds that the signature is old."""
    times: int = 1
    """How often the same event is sent: a vendor's duplicates."""


@dataclass(frozen=True, slots=True)
class _Hook:
    url: str
    source: str
    events: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        return {"url": self.url, "source": self.source, "events": list(self.events)}


class CrispAccount(Simulator):
    """Who may reach the account, how often, and who is told what happens in it.

    ``tier``: whose keypair `credentials` gives; those of the other tiers work too (`tokens`).
    """

    name: ClassVar[str] = "crisp"
    title: ClassVar[str] = "Crisp"
    prefix: ClassVar[str] = "/v1"
    retries: ClassVar[Retries] = Retries(limit=5, base=1.0, cap=60.0)

    def __init__(
        self,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        latency: float = 0.0,
        tier: Tier = "user",
        people: int = 24,
    ) -> None:
        self.tier = tier
        self._people = people
        self.tokens = {each: _keypair(seed, each) for each in TIERS}
        """Identifier and key by tier."""
        self.hook_secret = _digest(seed, "hook secret")[:40]
        ids = random.Random(f"crisp websites {1 if seed is None else seed}")
        self._website_ids = (uuid_text(ids), uuid_text(ids))
        self.state = CrispState()
        self.hooks: list[_Hook] = []
        clock = clock or Clock()
        self._meters = {each: _meter(each, clock) for each in TIERS}
        super().__init__(seed=seed, clock=clock, latency=latency)

    @property
    def website_id(self) -> str:
        """The first website, that of the credentials."""
        return self._website_ids[0]

    @property
    def other_website_id(self) -> str:
        """The second one, on which the plugin is not installed."""
        return self._website_ids[1]

    @property
    def credentials(self) -> dict[str, str]:
        """``identifier``, ``key``, ``website_id``, ``tier``, and ``hook_secret`` of the plugin."""
        identifier, key = self.tokens[self.tier]
        return {
            "identifier": identifier,
            "key": key,
            "website_id": self.website_id,
            "tier": self.tier,
            "hook_secret": self.hook_secret,
        }

    def authorization(self, tier: Tier) -> dict[str, str]:
        """The headers of a request with a tier's token."""
        pair = base64.b64encode(":".join(self.tokens[tier]).encode()).decode()
        return {"authorization": f"Basic {pair}", "x-crisp-tier": tier}

    def admin_routes(self) -> Iterable[Route]:
        """Hooks (set up in Crisp's pages), events, limits."""
        table = (
            ("GET", "hooks", self._list_hooks),
            ("POST", "hooks", self._add_hook),
            ("DELETE", "hooks", self._remove_hooks),
            ("POST", "events", self._send_event),
            ("POST", "limits", self._set_limits),
        )
        for method, path, handler in table:
            yield Route(method=method, path=f"/_sim/{path}", operation=path, handler=handler)

    def populate(self) -> None:
        """Two websites; the first with people and conversations."""
        self.hooks = []
        for meter in self._meters.values():
            meter.reset()
        self.state = new_state(
            self.chance, self.clock.date(), self._website_ids, people=self._people
        )

    def snapshot(self) -> dict[str, Any]:
        """All websites, hooks, and the tokens of all tiers."""
        return {
            **self.state.as_record(),
            "hooks": [hook.as_record() for hook in self.hooks],
            "tokens": {tier: list(pair) for tier, pair in self.tokens.items()},
            "refused_by_limits": sum(meter.refused for meter in self._meters.values()),
        }

    # Admission and refusals.

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Checks token and tier, quota, and whether the tier may use the route."""
        tier = request.headers.get("x-crisp-tier", "user")
        if tier not in self.tokens:
            raise Refused(401, "invalid_session")
        wanted = self.authorization(tier)["authorization"]
        if not hmac.compare_digest(
            request.headers.get("authorization", "").encode(), wanted.encode()
        ):
            raise Refused(401, "invalid_session")
        meter = self._meters[tier]
        if not meter.take():
            short = meter.daily_remaining > 0
            raise Refused(
                420 if short else 429, "rate_limited" if short else "quota_limit_exceeded"
            )
        if route is not None and tier not in route.note.split():
            raise Refused(403, "not_allowed")
        if "website_id" in request.params:
            self._reach(tier, request.params["website_id"])
        return (("bloom-status", "DIRECT"),) if request.method in {"GET", "HEAD"} else ()

    def _reach(self, tier: str, website_id: str) -> None:
        site = self.state.websites.get(website_id)
        if tier == "website" and website_id != self.website_id:
            raise Refused(403, "not_allowed")
        if site is None:
            raise Refused(404, "not_found")
        if tier == "plugin" and not site.plugin:
            raise Refused(404, "not_subscribed")

    def error(self, status: int, message: str | list[str], **more: Any) -> Reply:
        """``error``, ``reason`` (a word) and, where there is more to ``said``, ``data.message``."""
        text = message if isinstance(message, str) else "; ".join(message)
        said = str(more.get("said", ""))
        if " " in text or not text.islower():
            text, said = _REASONS.get(status, "error"), text
        body: dict[str, Any] = {"error": True, "reason": text}
        return Reply.json({**body, "data": {"message": said}} if said else body, status)

    def too_many(self, message: str | None) -> Reply:
        """Crisp's 429; no header says how long."""
        return self.error(429, message or "rate_limited")

    def ok(self, reason: str, data: Any = None, status: int = 200) -> Reply:
        """Crisp's envelope around a result."""
        return Reply.json({"error": False, "reason": reason, "data": data}, status)

    def site(self, request: Request) -> WebsiteState:
        """The website of a request; it has been checked that it may be reached."""
        return self.state.websites[request.params["website_id"]]

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return millis(self.clock.date())

    # Hooks.

    def emit(
        self,
        site: WebsiteState,
        event: str,
        data: dict[str, Any],
        *,
        signature: Literal["good", "bad", "none"] = "good",
        age: int = 0,
        times: int = 1,
    ) -> int:
        """Sends an event to every hook that wants it; how many there are."""
        stamp = self.now
        payload = msgspec.json.encode(
            {
                "website_id": site.id,
                "event": event,
                "data": {"website_id": site.id, **data},
                "timestamp": stamp,
            }
        )
        wanted = [
            hook
            for hook in self.hooks
            if ("*" in hook.events or event in hook.events)
            and (hook.source == "website" or site.plugin)
        ]
        signed_at = str(stamp - age * 1000)
        for hook in wanted:
            headers = {
                "x-crisp-hook-origin": hook.source,
                "x-crisp-request-timestamp": signed_at,
                "x-delivery-attempt-limit": str(self.retries.limit + 1),
            }
            if hook.source == "plugin" and signature != "none":
                text = b"[" + signed_at.encode() + b";" + payload + b"]"
                text += b" " if signature == "bad" else b""
                mac = hmac.new(self.hook_secret.encode(), text, hashlib.sha256)
                headers["x-crisp-signature"] = mac.hexdigest()
            for _ in range(times):
                key = str(data.get("fingerprint") or data.get("session_id") or stamp)
                self.deliveries.send(event, hook.url, payload, key=key, headers=headers)
        return len(wanted)

    def _list_hooks(self, _request: Request) -> Reply:
        return Reply.json({"hooks": [hook.as_record() for hook in self.hooks]})

    def _add_hook(self, request: Request) -> Reply:
        body = body_as(request, _HookBody)
        hook = _Hook(check_hook_url(body.url), body.source, body.events)
        self.hooks = [each for each in self.hooks if each.url != hook.url] + [hook]
        return Reply.json({"hooks": [each.as_record() for each in self.hooks]}, 201)

    def _remove_hooks(self, request: Request) -> Reply:
        self.hooks = []
        return self._list_hooks(request)

    def _send_event(self, request: Request) -> Reply:
        body = body_as(request, _EventBody)
        if body.times < 1:
            raise AdminRefused(400, f"times: {body.times} is below 1")
        site = self.state.websites.get(body.website_id or self.website_id)
        if site is None:
            raise AdminRefused(404, f"website_id: there is no website {body.website_id!r}")
        sent = self.emit(
            site,
            body.event,
            body.data,
            signature=body.signature,
            age=body.age,
            times=body.times,
        )
        return Reply.json({"hooks": sent, "deliveries": sent * body.times}, 202)

    def _set_limits(self, request: Request) -> Reply:
        body = body_as(request, _LimitsBody)
        for tier in TIERS:
            limits = Limits(
                maximum=body.max, interval_ms=body.interval_ms, daily=body.daily or DAILY[tier]
            )
            self._meters[tier] = Meter(limits, self.clock)
        return Reply.json(msgspec.to_builtins(body))


def _meter(tier: str, clock: Clock) -> Meter:
    return Meter(Limits(maximum=SHORT, interval_ms=10_000, daily=DAILY[tier]), clock)


def _digest(seed: int | None, what: str) -> str:
    if seed is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"junctor simulator crisp {what} {seed}".encode()).hexdigest()


def _keypair(seed: int | None, tier: str) -> tuple[str, str]:
    identifier = _digest(seed, f"{tier} identifier")
    shown = "-".join(
        identifier[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    )
    return shown, _digest(seed, f"{tier} key")
