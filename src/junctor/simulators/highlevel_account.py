"""The account side of the simulated HighLevel: token, versions, limits, errors, signed events."""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import msgspec

from junctor.simulators import highlevel_events as events
from junctor.simulators.admin import AdminRefused, body_as
from junctor.simulators.clock import Clock
from junctor.simulators.highlevel_around import Around
from junctor.simulators.highlevel_calendars import Calendars
from junctor.simulators.highlevel_calls import Calls
from junctor.simulators.highlevel_contacts import iso
from junctor.simulators.highlevel_more import More
from junctor.simulators.highlevel_place import Place
from junctor.simulators.highlevel_state import HighLevelState, new_state
from junctor.simulators.highlevel_talk import Talk
from junctor.simulators.hooks import Retries, SigningKey, check_hook_url
from junctor.simulators.kit import Refused, Route, Simulator
from junctor.simulators.limits import Limits, Meter
from junctor.simulators.people import text_id, uuid_text
from junctor.simulators.wire import Reply, Request

__all__ = ["VENDOR_LIMITS", "HighLevelAccount"]

VENDOR_LIMITS = Limits(maximum=100, interval_ms=10_000, daily=200_000)
"""Per app and location (docs/oauth/Authorization.md)."""

ANY_OPERATION = ("v3", "2023-02-21")
"""Versions that every operation takes: today's, and the one that the vendor's client for Node sends
with whatever it asks (@gohighlevel/api-client 3.1.0)."""

_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


Signature = Literal["good", "bad", "none", "rsa"]
"""``rsa``: the older one alone."""


class _LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    max: int = VENDOR_LIMITS.maximum
    interval_ms: int = VENDOR_LIMITS.interval_ms
    daily: int = VENDOR_LIMITS.daily


class _HookBody(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    events: tuple[str, ...] = ("*",)


class _EventBody(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    body: dict[str, Any] = msgspec.field(default_factory=dict)
    """Fields in place of the example's; null leaves one out."""
    location: str | None = None
    client_id: str | None = None
    """Whose event it is, if not the simulated app's."""
    signature: Signature = "good"
    times: int = 1
    """How often the same event is sent: a vendor's duplicates."""


class HighLevelAccount(Simulator):
    """One location, who may reach it, how often, and who is told what happens in it.

    ``match_order``: which of e-mail and phone an upsert matches first. ``limits`` ``None``: none.
    """

    name: ClassVar[str] = "highlevel"
    title: ClassVar[str] = "HighLevel"
    # Up to 12 retries with growing, jittered waits; the first wait and the cap are assumed.
    retries: ClassVar[Retries] = Retries(limit=12, base=2.0, cap=3600.0, jitter=0.5)

    def __init__(
        self,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        latency: float = 0.0,
        limits: Limits | None = VENDOR_LIMITS,
        allow_duplicates: bool = False,
        match_order: tuple[Literal["email", "phone"], ...] = ("email", "phone"),
        contacts: int = 20,
        token: str | None = None,
    ) -> None:
        self.signing_key = SigningKey(seed)
        self._dialect = ""
        self._token = token or _new_token(seed)
        self._allow_duplicates = allow_duplicates
        self._match_order = match_order
        self._contact_count = contacts
        self.location_id = _location_id(seed)
        self.state: HighLevelState
        self.more = More(self, random.Random(1))
        self.talk = Talk(self, random.Random(1))
        self.around = Around(self)
        self.calendars = Calendars(self, random.Random(1))
        self.calls = Calls(self)
        self.place = Place(self)
        self.subscriptions: list[tuple[str, tuple[str, ...]]] = []
        clock = clock or Clock()
        self.meter = Meter(limits, clock) if limits else None
        super().__init__(seed=seed, clock=clock, latency=latency)

    @property
    def app_id(self) -> str:
        """What events call the marketplace app: what its client ID begins with."""
        return "simulated-app"

    @property
    def credentials(self) -> dict[str, str]:
        """``token``, ``location_id``, and ``webhook_public_key`` (SPKI in base64)."""
        return {
            "token": self._token,
            "location_id": self.location_id,
            "webhook_public_key": self.signing_key.public,
        }

    def admin_routes(self) -> Iterable[Route]:
        """Subscriptions (HighLevel's are made in an app's settings page), events, limits."""
        table = (
            ("GET", "hooks", self._list_hooks),
            ("POST", "hooks", self._subscribe),
            ("DELETE", "hooks", self._unsubscribe),
            ("POST", "events", self._send_event),
            ("POST", "limits", self._set_limits),
        )
        for method, path, handler in table:
            yield Route(method=method, path=f"/_sim/{path}", operation=path, handler=handler)

    def populate(self) -> None:
        """One location with users, a calendar, custom fields, and contacts."""
        self.subscriptions = []
        if self.meter is not None:
            self.meter.reset()
        self.more.reset(random.Random(f"more {self.seed}"))
        self.talk.reset(random.Random(f"talk {self.seed}"))
        self.calendars.reset(random.Random(f"calendars {self.seed}"))
        self.state = new_state(
            self.chance,
            self.clock.date(),
            self.location_id,
            contacts=self._contact_count,
            allow_duplicates=self._allow_duplicates,
            match_order=self._match_order,
        )

    def snapshot(self) -> dict[str, Any]:
        """Everything in the location, and the subscriptions."""
        return {
            **self.more.as_record(),
            **self.talk.as_record(),
            **self.calendars.as_record(),
            **self.state.as_record(),
            "hooks": [{"url": url, "events": list(events)} for url, events in self.subscriptions],
            "refused_by_limits": self.meter.refused if self.meter else 0,
        }

    # Admission and refusals.

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Checks token, version header and limits, and gives the five limit headers."""
        self._dialect = request.headers.get("version", "")
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise Refused(401, "Invalid token")
        version = request.headers.get("version")
        if version is None:
            raise Refused(401, "version header was not found.")
        if route is not None and version not in {route.note, *ANY_OPERATION}:
            raise Refused(401, f"version header is invalid, expected {route.note}")
        if self.meter is None:
            return ()
        taken = self.meter.take()
        headers = self._limit_headers(self.meter)
        if not taken:
            raise Refused(429, "Too Many Requests", headers=headers)
        return headers

    def _limit_headers(self, meter: Meter) -> tuple[tuple[str, str], ...]:
        # In the client's time: on a faster clock the window is shorter for the client too.
        interval = round(meter.limits.interval_ms / self.clock.factor)
        return (
            ("X-RateLimit-Limit-Daily", str(meter.limits.daily)),
            ("X-RateLimit-Daily-Remaining", str(meter.daily_remaining)),
            ("X-RateLimit-Interval-Milliseconds", str(interval)),
            ("X-RateLimit-Max", str(meter.limits.maximum)),
            ("X-RateLimit-Remaining", str(meter.remaining)),
        )

    @property
    def newest(self) -> bool:
        """Whether the request that is being answered speaks v3."""
        return self._dialect == "v3"

    def error(self, status: int, message: str | list[str], **more: Any) -> Reply:
        """``statusCode``, ``message`` (a list for 422), ``error``, ``traceId``."""
        if status == 422 and isinstance(message, str):
            message = [message]
        known = _ERRORS.get(status, "Error")
        if self.newest:
            return self._error_of_v3(status, message, more)
        body = {"statusCode": status, "message": message, "error": known}
        return Reply.json({**body, **more, "traceId": self._trace()}, status)

    def _error_of_v3(self, status: int, message: str | list[str], more: dict[str, Any]) -> Reply:
        """``error`` with ``code``, ``message`` and, where there is more to say, ``details``."""
        said = "; ".join(message) if isinstance(message, list) else message
        code = _ERRORS.get(status, "Error").upper().replace(" ", "_")
        inner: dict[str, Any] = {"code": code, "message": said}
        details = [{"reason": each} for each in message] if isinstance(message, list) else []
        if details or more:
            inner["details"] = [*details, *([more] if more else [])]
        return Reply.json({"error": inner, "traceId": self._trace()}, status)

    def too_many(self, message: str | None) -> Reply:
        """A 429 with headers that say nothing remains."""
        reply = self.error(429, message or "Too Many Requests")
        if self.meter is not None:
            headers = dict(self._limit_headers(self.meter)) | {"X-RateLimit-Remaining": "0"}
            reply.headers += tuple(headers.items())
        return reply

    def _trace(self) -> str:
        return uuid_text(self.chance)

    def ok(self, body: dict[str, Any], status: int = 200) -> Reply:
        """A good answer, with ``traceId``."""
        return Reply.json({**body, "traceId": self._trace()}, status)

    _ok = ok  # as the other simulators name it

    def own_location(self, location_id: Any) -> None:
        """`Refused` 422 without a location, 403 for another one than the token's."""
        if not location_id:
            raise Refused(422, ["locationId should not be empty"])
        if location_id != self.location_id:
            raise Refused(403, "The token does not have access to this location.")

    # Webhooks.

    def emit_contact(self, event: str, contact: dict[str, Any]) -> None:
        """Tells of a contact, as its events show one."""
        if self.subscriptions:
            extra = {"type", "dateUpdated", "fullNameLowerCase"}
            shown = {k: v for k, v in contact.items() if not k.endswith("LowerCase")}
            self.emit(event, {k: v for k, v in shown.items() if k not in extra})

    def emit(
        self,
        event: str,
        body: dict[str, Any],
        *,
        signature: Signature = "good",
        times: int = 1,
        without: frozenset[str] = frozenset(),
    ) -> str:
        """Sends a signed event to everyone subscribed to it, without some fields; its
        ``webhookId``.
        """
        webhook_id = str(body.get("webhookId") or uuid_text(self.chance))
        content = {
            "type": events.type_of(event),
            "locationId": self.location_id,
            "timestamp": iso(self.clock.date()),
            "webhookId": webhook_id,
            "appId": self.app_id,
            "versionId": "simulated-version",
            **body,
        }
        payload = msgspec.json.encode({k: v for k, v in content.items() if k not in without})
        headers = {}
        if signature == "rsa":
            headers["x-wh-signature"] = events.rsa_sign(payload)
        elif signature != "none":
            signed = payload if signature == "good" else payload + b" "
            headers["x-ghl-signature"] = self.signing_key.sign(signed)
        for url, wanted in self.subscriptions:
            if "*" in wanted or event in wanted:
                for _ in range(times):
                    self.deliveries.send(event, url, payload, key=webhook_id, headers=headers)
        return webhook_id

    def _list_hooks(self, _request: Request) -> Reply:
        return Reply.json({"hooks": self.snapshot()["hooks"]})

    def _subscribe(self, request: Request) -> Reply:
        body = body_as(request, _HookBody)
        url = check_hook_url(body.url)
        # As one field of an app's settings page: a URL has one list of events.
        self.subscriptions = [row for row in self.subscriptions if row[0] != url]
        self.subscriptions.append((url, body.events))
        return Reply.json({"hooks": self.snapshot()["hooks"]}, 201)

    def _unsubscribe(self, request: Request) -> Reply:
        self.subscriptions = []
        return self._list_hooks(request)

    def _send_event(self, request: Request) -> Reply:
        body = body_as(request, _EventBody)
        if body.times < 1:
            raise AdminRefused(400, f"times: {body.times} is below 1")
        before = len(self.deliveries.sent)
        location = body.location or self.location_id
        content = events.body_of(body.type, location, uuid_text(self.chance))
        content.setdefault("locationId", location)
        if body.client_id is not None:
            content["appId"] = body.client_id.partition("-")[0]
        webhook_id = self.emit(
            body.type,
            {**content, **body.body},
            signature=body.signature,
            times=body.times,
            without=frozenset(key for key, value in body.body.items() if value is None),
        )
        started = len(self.deliveries.sent) - before
        answer: dict[str, Any] = {"webhookId": webhook_id, "deliveries": started}
        if body.signature == "rsa":
            answer["rsa_public_key"] = events.rsa_public()
        return Reply.json(answer, 202)

    def _set_limits(self, request: Request) -> Reply:
        body = body_as(request, _LimitsBody)
        limits = Limits(maximum=body.max, interval_ms=body.interval_ms, daily=body.daily)
        self.meter = Meter(limits, self.clock)
        return Reply.json(msgspec.to_builtins(body))


def _new_token(seed: int | None) -> str:
    """A token with the prefix of private integrations; always the same for the same seed."""
    if seed is None:
        digits = secrets.token_hex(16)
    else:
        digits = hashlib.sha256(f"junctor simulator highlevel token {seed}".encode()).hexdigest()
    return f"pit-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def _location_id(seed: int | None) -> str:
    return text_id(random.Random(f"location {1 if seed is None else seed}"))
