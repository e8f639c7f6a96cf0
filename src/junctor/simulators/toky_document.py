"""What the operations of a simulated Toky take, for its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from junctor.simulators import checks
from junctor.simulators.checks import Check
from junctor.simulators.describe import Description, Taken

if TYPE_CHECKING:
    from junctor.simulators.toky_state import TokyState

__all__ = ["described"]

_PAGE = ("limit", "offset")
_CONTACT: Mapping[str, Check] = {
    **dict.fromkeys(
        (
            *("contact_name", "first_name", "last_name", "country_code", "city"),
            *("company_name", "created_by"),
        ),
        checks.nullable(checks.text),
    ),
    "phone": checks.phone,
    "email": checks.nullable(checks.email),
}
_SMS: Mapping[str, Check] = {
    "from": checks.phone,
    "to": checks.phone,
    "text": checks.filled,
    "email": checks.email,
}


def described(state: TokyState, events: tuple[str, ...]) -> Description:
    """The description, with what the account holds now."""
    filtered = Taken(query=(*_PAGE, "filter"))
    return Description(
        security={"key": {"type": "apiKey", "in": "header", "name": "X-Toky-Key"}},
        taken={
            **dict.fromkeys(("list_agents", "list_contacts", "list_webhooks"), Taken(query=_PAGE)),
            **dict.fromkeys(("list_cdrs", "list_sms", "list_voicemails"), filtered),
            "create_contact": Taken(body=_CONTACT, required=("phone", "contact_name")),
            "update_contact": Taken(body=_CONTACT),
            "send_sms": Taken(body=_SMS, required=tuple(_SMS)),
            "create_webhook": Taken(
                body={"event": checks.one_of(*events), "hook_url": checks.text},
                required=("event", "hook_url"),
            ),
        },
        known={
            "phone": list(state.contacts)[:8],
            "voicemails": [str(row["id"]) for row in state.voicemails[:8]],
            "recordings": list(state.recordings)[:8],
            "webhooks": [str(number) for number in state.webhooks],
            "hook_url": ["http://127.0.0.1:9/hook"],
            "limit": ["1", "500"],
            "offset": ["0", "3"],
        },
    )
