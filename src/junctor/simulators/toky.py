"""A double of Toky's API v1: agents, contacts, calls, text messages, voicemails and webhooks.

Established are the base URL, the key's header, the paging envelope, the fields of agents and calls,
``sms/send``, the webhook resource and its events (developer.toky.co: *Agents*, *Call data records*,
*Webhooks*, *About data pagination*). The rest is not published; what is assumed stands in `PATHS`
and in the comments marked "assumed", in this file only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from junctor.simulators import toky_calls, toky_state
from junctor.simulators.admin import body_as
from junctor.simulators.checks import email, filled, normal_phone
from junctor.simulators.clock import Clock
from junctor.simulators.describe import Description
from junctor.simulators.hooks import Retries, check_hook_url
from junctor.simulators.kit import Refused, Route, Simulator
from junctor.simulators.toky_calls import CallsBody, SmsBody
from junctor.simulators.toky_document import described
from junctor.simulators.toky_state import TokyState
from junctor.simulators.wire import Reply, Request

__all__ = ["EVENTS", "PATHS", "TokySimulator"]

PATHS = {
    "agents": "/agents",
    "cdrs": "/cdrs",
    "contacts": "/contacts",
    "contact": "/contacts/{phone}",  # assumed: reading is by phone number, its address isn't shown
    "sms": "/sms",  # assumed
    "sms_send": "/sms/send",
    "voicemails": "/voicemails",  # assumed
    "voicemail": "/voicemails/{id}",  # assumed
    "recording": "/recordings/{callid}",
    "webhooks": "/webhooks",
    "webhook": "/webhooks/{id}",
}
"""Paths below ``/v1``."""

EVENTS = (
    "new_call",
    "new_voicemail",
    "new_sms",
    "inbound_call_answered",
    "inbound_call_ended",
    "outbound_call",
    "outbound_call_ended",
)

MAX_PAGE = 500

# Assumed, but for the first four: only the fields of reading are published.
_CONTACT_KEYS = ("contact_name", "country_code", "city", "email", "company_name", "created_by")


class TokySimulator(Simulator):
    """Toky, with an account of its own. ``api_key`` fixes the key."""

    name: ClassVar[str] = "toky"
    title: ClassVar[str] = "Toky"
    prefix: ClassVar[str] = "/v1"
    # Assumed: Toky's retries are not published.
    retries: ClassVar[Retries] = Retries(limit=5, base=1.0, cap=60.0)

    def __init__(
        self,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        latency: float = 0.0,
        api_key: str | None = None,
    ) -> None:
        self.state = TokyState()
        self._key = api_key or toky_state.new_key(seed)
        super().__init__(seed=seed, clock=clock, latency=latency)

    @property
    def credentials(self) -> dict[str, str]:
        """``api_key``."""
        return {"api_key": self._key}

    def routes(self) -> Iterable[Route]:
        """All operations, at the paths of `PATHS`."""
        table = (
            ("GET", "agents", "list_agents", self._list_agents),
            ("GET", "cdrs", "list_cdrs", self._list_cdrs),
            ("GET", "contacts", "list_contacts", self._list_contacts),
            ("POST", "contacts", "create_contact", self._create_contact),
            ("GET", "contact", "get_contact", self._get_contact),
            ("PUT", "contact", "update_contact", self._update_contact),
            ("GET", "sms", "list_sms", self._list_sms),
            ("POST", "sms_send", "send_sms", self._send_sms),
            ("GET", "voicemails", "list_voicemails", self._list_voicemails),
            ("GET", "voicemail", "get_voicemail", self._get_voicemail),
            ("GET", "recording", "get_recording", self._get_recording),
            ("DELETE", "recording", "delete_recording", self._delete_recording),
            ("GET", "webhooks", "list_webhooks", self._list_webhooks),
            ("POST", "webhooks", "create_webhook", self._create_webhook),
            ("DELETE", "webhook", "delete_webhook", self._delete_webhook),
        )
        for method, key, operation, handler in table:
            yield Route(method=method, path=PATHS[key], operation=operation, handler=handler)

    def described(self) -> Description:
        """What they take."""
        return described(self.state, EVENTS)

    def admin_routes(self) -> Iterable[Route]:
        """Calls and text messages to simulate."""
        for path, handler in (("calls", self._simulate_calls), ("sms", self._simulate_sms)):
            yield Route(method="POST", path=f"/_sim/{path}", operation=path, handler=handler)

    def populate(self) -> None:
        """Three agents, twenty contacts, and a little history."""
        self.state = toky_state.new_state(self.chance, self.clock.date())

    def snapshot(self) -> dict[str, Any]:
        """All lists of the account."""
        return self.state.as_record()

    def admit(self, request: Request, route: Route | None) -> tuple[tuple[str, str], ...]:
        """Checks the key."""
        del route
        if request.headers.get("x-toky-key") != self._key:
            raise Refused(401, "The API key is missing or not valid (header X-Toky-Key)")
        return ()

    def error(self, status: int, message: str | list[str], **more: Any) -> Reply:
        """Toky's only published refusal, that of ``sms/send``; assumed for all others."""
        said = message if isinstance(message, str) else "; ".join(message)
        return Reply.json({"success": False, "error_message": said, **more}, status)

    # Lists.

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Reply:
        query = request.query
        limit = _bounded(query.get("limit", "100"), "limit", 1, MAX_PAGE)
        offset = _bounded(query.get("offset", "0"), "offset", 0, 10**9)
        page = rows[offset : offset + limit]
        more = offset + limit < len(rows)
        after = None
        if more:
            kept = {**query, "limit": str(limit), "offset": str(offset + limit)}
            after = self.origin + request.path + toky_state.query_text(kept)
        return Reply.json({"count": len(page), "next": after, "results": page})

    def _filtered(self, request: Request, rows: list[dict[str, Any]], key: str) -> Reply:
        query = request.query
        if "filter" in query:
            if "limit" not in query or "offset" not in query:
                raise Refused(400, "filter needs limit and offset")
            try:
                rows = toky_state.filtered(rows, query["filter"], key)
            except ValueError as error:
                raise Refused(400, str(error)) from error
        return self._page(request, rows)

    def _list_agents(self, request: Request) -> Reply:
        return self._page(request, self.state.agents)

    def _list_cdrs(self, request: Request) -> Reply:
        return self._filtered(request, self.state.cdrs[::-1], "init_dt")

    def _list_contacts(self, request: Request) -> Reply:
        return self._page(request, list(self.state.contacts.values()))

    def _list_sms(self, request: Request) -> Reply:
        return self._filtered(request, self.state.sms[::-1], "date")

    def _list_voicemails(self, request: Request) -> Reply:
        return self._filtered(request, self.state.voicemails[::-1], "created_at")

    # Contacts: the phone number is the key.

    def _create_contact(self, request: Request) -> Reply:
        body = request.json()
        phone = _phone(body.get("phone"), "phone")
        if phone in self.state.contacts:
            raise Refused(409, f"A contact with the phone {phone} exists")
        contact = toky_state.new_contact(phone)
        _fill(contact, body)
        if not contact["contact_name"]:
            raise Refused(400, "contact_name (or first_name and last_name) is missing")
        self.state.contacts[phone] = contact
        return Reply.json(contact, 201)

    def _get_contact(self, request: Request) -> Reply:
        return Reply.json(self._contact(request))

    def _update_contact(self, request: Request) -> Reply:
        contact = self._contact(request)
        changed = dict(contact)
        body = request.json()
        phone = _phone(body["phone"], "phone") if "phone" in body else contact["phone"]
        if phone != contact["phone"] and phone in self.state.contacts:
            raise Refused(409, f"A contact with the phone {phone} exists")
        _fill(changed, body)
        del self.state.contacts[contact["phone"]]
        self.state.contacts[phone] = {**changed, "phone": phone}
        return Reply.json(self.state.contacts[phone])

    def _contact(self, request: Request) -> dict[str, Any]:
        given = request.params["phone"]
        # Without a plus, ten digits may be a whole foreign number or an American one.
        for phone in ("+" + given.lstrip("+"), normal_phone(given) or ""):
            contact = self.state.contacts.get(phone)
            if contact is not None:
                break
        if contact is None:
            raise Refused(404, f"No contact has the phone {request.params['phone']}")
        return contact

    # Text messages, voicemails, recordings.

    def _send_sms(self, request: Request) -> Reply:
        body = request.json()
        # A refused message is a 200 whose success is false: clients look at success alone.
        for key, wrong in (
            ("from", normal_phone(str(body.get("from", ""))) is None),
            ("to", normal_phone(str(body.get("to", ""))) is None),
            ("text", filled(body.get("text")) is not None),
            ("email", not body.get("email") or email(body.get("email")) is not None),
        ):
            if wrong:
                return self.error(200, f"{key} is missing or not valid")
        row = toky_calls.add_sms(self, "outbound", body["from"], body["to"], body["text"])
        row["agent"] = body["email"]
        return Reply.json({"success": True, "id": row["id"]})

    def _get_voicemail(self, request: Request) -> Reply:
        for row in self.state.voicemails:
            if str(row["id"]) == request.params["id"]:
                return Reply.json(row)
        raise Refused(404, f"No voicemail has the id {request.params['id']}")

    def _get_recording(self, request: Request) -> Reply:
        url = self.state.recordings.get(request.params["callid"])
        if url is None:
            raise Refused(404, f"No recording of the call {request.params['callid']}")
        return Reply.json({"callid": request.params["callid"], "record_url": url})

    def _delete_recording(self, request: Request) -> Reply:
        if self.state.recordings.pop(request.params["callid"], None) is None:
            raise Refused(404, f"No recording of the call {request.params['callid']}")
        return Reply.json({"success": True})

    # Webhooks.

    def _list_webhooks(self, request: Request) -> Reply:
        return self._page(request, list(self.state.webhooks.values()))

    def _create_webhook(self, request: Request) -> Reply:
        body = request.json()
        event = body.get("event")
        if event not in EVENTS:
            raise Refused(400, f"event: {event!r} is none of {', '.join(EVENTS)}")
        try:
            url = check_hook_url(body.get("hook_url"))
        except ValueError as error:
            raise Refused(400, f"hook_{error}") from error
        # Assumed: a registration is for one event, and an event may have several.
        hook = {"id": self.state.number(), "event": event, "hook_url": url}
        self.state.webhooks[hook["id"]] = hook
        return Reply.json(hook, 201)

    def _delete_webhook(self, request: Request) -> Reply:
        number = request.params["id"]
        if not number.isdecimal() or self.state.webhooks.pop(int(number), None) is None:
            raise Refused(404, f"No webhook has the id {number}")
        return Reply.json({"success": True})

    def emit(self, event: str, key: str, payload: dict[str, Any]) -> int:
        """Sends an event to every address registered for it; how many there are."""
        urls = [hook["hook_url"] for hook in self.state.webhooks.values() if hook["event"] == event]
        for url in urls:
            self.deliveries.send(event, url, payload, key=key)
        return len(urls)

    # What happens on demand.

    def _simulate_calls(self, request: Request) -> Reply:
        return Reply.json(toky_calls.simulate(self, body_as(request, CallsBody)), 202)

    def _simulate_sms(self, request: Request) -> Reply:
        body = body_as(request, SmsBody)
        return Reply.json(toky_calls.receive_sms(self, body), 202)


def _fill(contact: dict[str, Any], body: dict[str, Any]) -> None:
    """Takes a contact's fields from a body; unknown ones are ignored, names may come in two."""
    for key in _CONTACT_KEYS:
        value = body.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            raise Refused(400, f"{key} must be text")
        if key == "email" and email(value) is not None:
            raise Refused(400, f"email {value!r} is not valid")
        contact[key] = value
    parts = [body.get("first_name"), body.get("last_name")]
    if any(parts):
        contact["contact_name"] = " ".join(str(part) for part in parts if part)


def _phone(value: Any, name: str) -> str:
    normal = normal_phone(value) if isinstance(value, str) else None
    if normal is None:
        raise Refused(400, f"{name}: {value!r} is no phone number in E.164 form")
    return normal


def _bounded(text: str, name: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refused(400, f"{name}: {text!r} is no number from {low} to {high}")
    return int(text)
