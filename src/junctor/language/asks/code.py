"""Running a user's code, shut in: without network, files or keys, and for a limited time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from junctor.language.connector import Ask

__all__ = ["Language", "RunCode"]

Language = Literal["javascript", "python"]


@dataclass(frozen=True, slots=True)
class RunCode(Ask):
    """Answered with ``{"result": …, "logs": …}``: what the code returned, and what it printed (only
    if it did). `errors.DataError` says how the code failed, and on which line.
    """

    language: Language
    source: str
    input: dict[str, Any] = field(default_factory=dict)
    """Values by the names under which the code reads them."""
    seconds: float = 10.0
    """How long it may take."""
