"""What a part of the proof found."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.conform.stage import Violation

__all__ = ["Count"]


@dataclass(slots=True)
class Count:
    """How many modules were covered, of how many, and what was wrong."""

    what: str
    covered: set[str]
    total: set[str]
    violations: list[Violation] = field(default_factory=list)

    @property
    def left(self) -> list[str]:
        """Modules that nothing was sent of."""
        return sorted(self.total - self.covered)
