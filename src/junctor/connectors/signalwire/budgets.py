"""What SignalWire permits."""

from __future__ import annotations

from typing import Any

from junctor.language.budgets import Budget
from junctor.language.connector import Request

__all__ = ["BUDGETS"]

_COUNTED = frozenset({"POST", "PUT", "PATCH"})


def _writes(_account: Any, request: Request) -> str | None:
    return "" if request.method.upper() in _COUNTED else None


BUDGETS = (Budget(name="writes", amount=13_800, window=10.0, key=_writes),)
"""Requests that only look are not limited (SignalWire's page on rate limits). Calls and messages
above the rate of an account or number are taken and queued there, so they are no budget of ours."""
