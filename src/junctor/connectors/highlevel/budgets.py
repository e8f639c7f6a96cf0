"""What HighLevel permits, and the headers in which it says so."""

from __future__ import annotations

from typing import Any

from junctor.language.budgets import Budget, rate_headers
from junctor.language.connector import Request

__all__ = ["BUDGETS"]


def _app_and_location(account: Any, _request: Request) -> str:
    """Two connections of one app to one location share; a private integration is its own app."""
    client, location = getattr(account, "client_id", ""), account.location_id
    return f"{client} {location}" if client and location else ""


BUDGETS = (
    Budget(
        name="burst",
        amount=100,
        window=10.0,
        key=_app_and_location,
        learn=rate_headers(
            limit="X-RateLimit-Max",
            remaining="X-RateLimit-Remaining",
            milliseconds="X-RateLimit-Interval-Milliseconds",
        ),
    ),
    Budget(
        name="day",
        amount=200_000,
        window=86_400.0,
        key=_app_and_location,
        learn=rate_headers(
            limit="X-RateLimit-Limit-Daily", remaining="X-RateLimit-Daily-Remaining"
        ),
    ),
)
"""Per app and location or agency (HighLevel's page on rate limits)."""
