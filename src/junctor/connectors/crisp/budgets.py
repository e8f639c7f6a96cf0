"""What Crisp permits, by the tier of the token."""

from __future__ import annotations

from typing import Any

from junctor.language.budgets import Budget
from junctor.language.connector import Request

__all__ = ["BUDGETS"]


def _tier(name: str) -> Any:
    def key(account: Any, _request: Request) -> str | None:
        return "" if account.tier == name else None

    return key


BUDGETS = (
    Budget(name="day of a website token", amount=10_000, window=86_400.0, key=_tier("website")),
)
"""A website token has 10,000 requests a day. A plugin token's quota is set at the Marketplace and
not told by the API, and a user token's limits are not published: those are not governed
(docs.crisp.chat, *Rate limits*)."""
