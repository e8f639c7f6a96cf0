"""What the operations of a simulated Crisp take, for its OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junctor.simulators import checks
from junctor.simulators.crisp_content import META, PROFILE, message_shape
from junctor.simulators.describe import Description, Taken

if TYPE_CHECKING:
    from junctor.simulators.crisp_state import WebsiteState

__all__ = ["described"]

_FLAGS = (
    *("include_empty", "filter_unread", "filter_resolved", "filter_not_resolved"),
    *("filter_mention", "filter_unassigned", "order_date_created"),
)
_DATES = ("filter_date_start", "filter_date_end")


def described(site: WebsiteState, tiers: tuple[str, ...], password: str) -> Description:
    """The description, with what a website holds now."""
    verify = checks.taking(type="object", examples=[{"method": "password", "secret": password}])(
        checks.mapping
    )
    data = Taken(body={"data": checks.mapping}, required=("data",))
    return Description(
        security={"token": {"type": "http", "scheme": "basic"}},
        headers={"X-Crisp-Tier": tiers},
        taken={
            "check_website": Taken(query=("domain",)),
            "create_website": Taken(
                body={"name": checks.filled, "domain": checks.filled}, required=("name", "domain")
            ),
            "delete_website": Taken(body={"verify": verify}, required=("verify",)),
            "list_conversations": Taken(
                query=(
                    *("per_page", *_FLAGS, *_DATES, "filter_assigned", "filter_inbox_id"),
                    *("search_query", "search_type", "search_operator"),
                )
            ),
            "list_messages": Taken(query=("timestamp_before", "timestamp_after")),
            "send_message": Taken(
                body=message_shape(), required=("type", "from", "origin", "content")
            ),
            "edit_message": Taken(
                body={"content": checks.taking()(lambda _value: None)}, required=("content",)
            ),
            "mark_read": Taken(
                body={
                    "from": checks.one_of("user", "operator"),
                    "origin": checks.text,
                    "fingerprints": checks.taking(type="array", items={"type": "integer"})(
                        checks.texts
                    ),
                },
                required=("from",),
            ),
            "update_meta": Taken(body=META),
            "change_state": Taken(
                body={"state": checks.one_of("pending", "unresolved", "resolved")},
                required=("state",),
            ),
            "assign_routing": Taken(
                body={"assigned": checks.nullable(checks.mapping), "silent": checks.boolean},
                required=("assigned",),
            ),
            "change_block": Taken(body={"blocked": checks.boolean}, required=("blocked",)),
            "schedule_reminder": Taken(
                body={"date": checks.iso_date, "note": checks.filled}, required=("date", "note")
            ),
            "list_profiles": Taken(
                query=(
                    *("per_page", "sort_field", "sort_order", "search_text", "search_filter"),
                    *("search_operator", *_DATES),
                )
            ),
            "add_profile": Taken(body=PROFILE, required=("email",)),
            "save_profile": Taken(body=PROFILE),
            "update_profile": Taken(body=PROFILE),
            "save_data": data,
            "update_data": data,
            "add_event": Taken(
                body={"text": checks.filled, "data": checks.mapping, "color": checks.text},
                required=("text",),
            ),
        },
        known={
            "website_id": [site.id],
            "session_id": list(site.conversations)[:8],
            "people_id": list(site.people)[:8],
            "fingerprint": [
                str(row["fingerprint"]) for rows in site.messages.values() for row in rows[:2]
            ][:8],
            "user_id": [row["details"]["user_id"] for row in site.operators],
            "page_number": ["1", "2"],
            "per_page": ["20", "50"],
            "domain": [site.facts["domain"]],
            "search_filter": [
                '[{"criterion": "email", "model": "people", "operator": "eq", "query": ["a"]}]'
            ],
            **{key: ["0", "1"] for key in _FLAGS},
            **{key: ["2024-05-01T00:00:00Z"] for key in _DATES},
        },
    )
