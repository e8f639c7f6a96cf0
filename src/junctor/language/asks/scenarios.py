"""Runs of other scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from junctor.language.connector import Ask, Bundle

__all__ = ["CallScenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScenario(Ask):
    """Starts a run of the scenario that the module is bound to (kind ``scenarios``).

    Answered with ``{"run": its id, "data": what it returned}``; ``data`` is ``{}`` without
    ``wait``, or if it returned nothing. However often the same operation asks, there is one run.
    Raises `errors.ScenarioFailed` if that run stopped, or has not ended in ``limit`` seconds.
    """

    scenario: Any = None
    """What the blueprint names; one of our own ids (``scn_…``) needs no binding."""
    data: Bundle
    wait: bool = True
    limit: float = 300.0
