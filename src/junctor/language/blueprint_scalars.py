"""Single values as blueprints spell them: numbers as texts, flags as 0 and 1."""

from __future__ import annotations

from typing import Any

from junctor.language.lossless import dumps

__all__ = ["boolean", "integer", "shown"]


def integer(value: Any) -> int | None:
    """A whole number, also as ``"7"`` or ``7.0``; ``None`` if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip()
        if text.removeprefix("-").isascii() and text.removeprefix("-").isdigit():
            return int(text) if len(text) < 20 else None
    return None


def boolean(value: Any) -> bool | None:
    """A flag, also as ``"true"`` or ``1``; ``None`` if it is none."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, 1: True, 0: False}.get(value) if _flat(value) else None


def _flat(value: Any) -> bool:
    return isinstance(value, str | int | float)


def shown(value: Any) -> str:
    """A value for a message, cut to a line."""
    if value is None:
        return "nothing"
    text = dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"
