"""What every evaluation may look at besides bundles: the values of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

__all__ = ["FAILED", "Env", "Evaluate", "Scope", "constant"]

FAILED: Final = -1
"""The key, beside the modules' ids, under which the slots of an error handler's mappings hold the
slot of the module that failed: ``error`` alone, ``error.message`` and ``error.type`` read it."""


def _none() -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The run's own clock, randomness, variables and place; ``env[0]`` of every evaluation.

    The callables are the run's, so that a replay gives the recorded values; the language never
    asks the process for a time or a random number.
    """

    now: Callable[[], datetime]
    """An aware instant."""
    random: Callable[[], float]
    """From 0, below 1."""
    uuid: Callable[[], str]
    zone: tzinfo = UTC
    """The organisation's time zone: dates without one are read and shown in it."""
    locale: str = "en"
    country: str = ""
    execution_id: str = ""
    scenario_id: str = ""
    scenario_name: str = ""
    """Read by ``scenarioName``; if empty, that reads ``var.scenario.name``."""
    triggered_at: datetime | None = None
    """Read by ``triggerTimestamp``; if not known, that reads `now`."""
    operations: Callable[[], int] = _none
    """How many operations the run has taken so far; read by ``operationsConsumed``."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """What ``var.…`` reads: ``scenario``, ``organization``, ``team`` and ``input``."""


Env = list[Any]
"""``env[0]`` is the `Scope`; the other slots hold the current bundle of a module, or ``None``."""

Evaluate = Callable[[Env], Any]
"""A compiled mapping."""


def constant(evaluate: Evaluate) -> bool:
    """Whether it never looks at ``env``."""
    return getattr(evaluate, "constant", False)
