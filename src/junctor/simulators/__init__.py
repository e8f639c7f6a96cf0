"""Vendor doubles with state, limits, faults and signed hooks, for demos, tests and users.

`SIMULATORS` names them; nothing is loaded until one is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from junctor.simulators.kit import Simulator

__all__ = ["SIMULATORS", "make"]

SIMULATORS = {
    "crisp": ("junctor.simulators.crisp", "CrispSimulator"),
    "highlevel": ("junctor.simulators.highlevel_oauth", "HighLevelOAuthSimulator"),
    "signalwire": ("junctor.simulators.signalwire", "SignalWireSimulator"),
    "toky": ("junctor.simulators.toky", "TokySimulator"),
}
"""Module and class by name."""


def make(name: str, **options: Any) -> Simulator:
    """A simulator by its name; `KeyError` if there is none. Options as `kit.Simulator`'s."""
    module, attribute = SIMULATORS[name]
    simulator: Simulator = getattr(import_module(module), attribute)(**options)
    return simulator
