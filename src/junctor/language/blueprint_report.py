"""What a compatibility report says about one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from junctor.language.blueprint_needs import Requirement
from junctor.language.connector import ModuleDef
from junctor.language.scenario import Problem

__all__ = ["Alias", "Known", "Offered", "Report", "Unsupported"]

Known = Callable[[str], ModuleDef | None]
"""Finds a module by ``connector:name``, aliases included."""

Offered = Callable[[], Iterable[str]]
"""The ids of all modules on offer; asked for only when a name is found by none."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A module found under another name than its own."""

    path: str
    module: str
    means: str


@dataclass(slots=True)
class Unsupported:
    """An app whose modules nobody here offers."""

    app: str
    count: int = 0
    modules: list[str] = field(default_factory=list)
    advice: str = ""
    paths: list[str] = field(default_factory=list)
    """Where they stand."""


@dataclass(slots=True)
class Report:
    """What was found in one file."""

    file: str
    name: str = ""
    problems: list[Problem] = field(default_factory=list)
    total: int = 0
    """Modules placed in the flow, an agent's tools included, orphans not."""
    runnable: int = 0
    expressions: int = 0
    """Texts that hold expressions."""
    parsed: int = 0
    unsupported: dict[str, Unsupported] = field(default_factory=dict)
    requirements: list[Requirement] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing has severity error."""
        return not any(problem.severity == "error" for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Plain data, as `junctor check --json` prints it."""
        return {
            "file": self.file,
            "ok": self.ok,
            "problems": [asdict(problem) for problem in self.problems],
            "modules": {"total": self.total, "runnable": self.runnable},
            "expressions": {"total": self.expressions, "parsed": self.parsed},
            "name": self.name,
            "unsupported": [asdict(item) for item in self.unsupported.values()],
            "requirements": [asdict(item) for item in self.requirements],
            "aliases": [asdict(item) for item in self.aliases],
        }
