"""What modules ask around waits: which hooks there are, and links for questions."""

from __future__ import annotations

from typing import Any

from junctor.adapters.postgres.waits import PostgresWaits
from junctor.errors import Misconfigured
from junctor.language import ids
from junctor.language.asks.waits import ListHooks, MakeApprovalLink
from junctor.runtime.approvals import APPROVE, new_token
from junctor.runtime.services import Asking

__all__ = ["list_hooks", "make_link"]


async def list_hooks(_ask: ListHooks, asking: Asking) -> list[dict[str, Any]]:
    """Those whose scenario is active, by name."""
    found = await PostgresWaits(asking.tools.line).hooks(asking.organization_id)
    return [
        {"id": ids.show("hok", hook_id), "name": f"{name} ({scenario})"}
        for hook_id, name, scenario in found
    ]


async def make_link(_ask: MakeApprovalLink, asking: Asking) -> dict[str, Any]:
    """An address with a token of its own; it is recorded, so a replay has the same."""
    if not asking.tools.public_url:
        raise Misconfigured(reason="JUNCTOR_PUBLIC_URL is not set, so no link can be made")
    return {"link": asking.tools.public_url.rstrip("/") + APPROVE + new_token()}
