"""The page at ``/_sim/``: what a person may look at and do in a simulator, in a browser.

Three files of our own and nothing from elsewhere; the policy that goes with them lets a browser
load nothing else, and send nothing anywhere else. What can be made to happen is listed here, by
simulator.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from junctor.simulators.faults import FaultKind
from junctor.simulators.routes import Handler
from junctor.simulators.wire import Reply, Request

__all__ = ["FORMS", "PAGES", "Field", "Form", "forms_of", "page"]

_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One input. Its type is that of ``value``: text, number, truth, or JSON for anything else."""

    name: str
    value: Any = ""
    choices: tuple[str, ...] = ()
    hint: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """Something that can be made to happen; ``path`` below ``/_sim``."""

    label: str
    path: str
    fields: tuple[Field, ...]
    verb: str = "Send"


_SIGNATURE = Field("signature", "good", ("good", "bad", "none"))
_TIMES = Field("times", 1)
_HIGHLEVEL_EVENTS = (
    *("ContactCreate", "ContactUpdate", "ContactDelete", "ContactTagUpdate", "ContactDndUpdate"),
    *("NoteCreate", "TaskCreate", "TaskComplete", "InboundMessage", "OutboundMessage"),
    *("ConversationUnreadUpdate", "AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"),
    *("OpportunityCreate", "OpportunityUpdate", "OpportunityStatusUpdate", "OpportunityDelete"),
)
_CRISP_EVENTS = (
    *("message:send", "message:received", "message:updated", "message:removed"),
    *("session:set_state", "session:set_email", "session:set_nickname", "session:removed"),
    *("people:profile:created", "people:profile:updated", "people:profile:removed"),
)
FORMS: dict[str, tuple[Form, ...]] = {
    "toky": (
        Form(
            "Calls",
            "/calls",
            (
                Field("count", 1),
                Field("rate", 20, hint="a second"),
                Field("caller", hint="+1…, or anybody"),
                Field("direction", "inbound", ("inbound", "outbound")),
                Field("kinds", ["missed"]),
                Field("known", 0.5),
                Field("told", value=True),
            ),
            "Call",
        ),
        Form(
            "A text message arrives",
            "/sms",
            (
                Field("text", "Hello", wide=True),
                Field("from", "+12025550142"),
                Field("told", value=True),
            ),
        ),
    ),
    "signalwire": (
        Form(
            "Calls come in",
            "/inbound-calls",
            (
                Field("count", 1),
                Field("seconds", 20),
                Field("from", hint="+1…, or anybody"),
                Field("to", hint="+1…, or any number of yours"),
                Field("leaves_message", value=False),
            ),
            "Call",
        ),
        Form(
            "A message comes in",
            "/inbound-messages",
            (
                Field("body", "Hello", wide=True),
                Field("from", hint="+1…, or anybody"),
                Field("to", hint="+1…, or any number of yours"),
                _TIMES,
            ),
        ),
        Form(
            "What becomes of calls and messages",
            "/outcomes",
            (
                Field("to", "+12025550142", wide=True),
                Field("call", "busy"),
                Field("message", "undelivered"),
            ),
            "Set",
        ),
        Form("Limits", "/limits", (Field("max", 13800), Field("interval_ms", 10000)), "Set"),
    ),
    "crisp": (
        Form(
            "A visitor writes",
            "/messages",
            (
                Field("text", "Hello", wide=True),
                Field("nickname", "Ann"),
                Field("email", hint="left out"),
                Field("session_id", hint="a new conversation", wide=True),
            ),
        ),
        Form(
            "An event",
            "/events",
            (Field("event", "message:send", _CRISP_EVENTS), _SIGNATURE, _TIMES, Field("data", {})),
        ),
        Form(
            "A hook is added",
            "/hooks",
            (
                Field("url", "http://127.0.0.1:8080/hook/…", wide=True),
                Field("source", "plugin", ("plugin", "website")),
                Field("events", ["*"]),
            ),
            "Add",
        ),
        Form("Limits", "/limits", (Field("max", 60), Field("interval_ms", 10000)), "Set"),
    ),
    "highlevel": (
        Form(
            "An event",
            "/events",
            (
                Field("type", "ContactCreate", _HIGHLEVEL_EVENTS),
                _SIGNATURE,
                _TIMES,
                Field("body", {"firstName": "Ann", "phone": "+12025550142"}),
            ),
        ),
        Form(
            "A hook is added",
            "/hooks",
            (Field("url", "http://127.0.0.1:8080/hook/…", wide=True), Field("events", ["*"])),
            "Add",
        ),
        Form(
            "Access",
            "/oauth",
            (Field("expire", value=True), Field("revoke", value=False)),
            "End",
        ),
        Form(
            "Limits",
            "/limits",
            (Field("max", 100), Field("interval_ms", 10000), Field("daily", 200000)),
            "Set",
        ),
    ),
}
"""By simulator. Those that it has no route for (no OAuth, say) are left out of its page."""


def forms_of(name: str, paths: set[str]) -> dict[str, Any]:
    """What the page offers: ``paths`` are those that the simulator knows a POST for."""
    known = [form for form in FORMS.get(name, ()) if "/_sim" + form.path in paths]
    return {
        "forms": [
            {
                **asdict(form),
                "fields": [
                    {**asdict(field), "choices": field.choices or None} for field in form.fields
                ],
            }
            for form in known
        ],
        "faults": list(get_args(FaultKind)),
    }


@cache
def _content(name: str) -> bytes:
    return files("junctor.simulators.page").joinpath(name).read_bytes()


def page(part: str) -> Handler:
    """Answers with a file of the page."""
    name, kind = _FILES[part]

    def answer(_request: Request) -> Reply:
        return Reply(200, _content(name), _HEADERS, kind)

    return answer


PAGES = {f"/_sim/{part}": page(part) for part in _FILES}
"""By path."""
