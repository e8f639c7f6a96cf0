"""Which vendors the demo simulates, where, and when they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from junctor.app.simulators import OTHERS, VENDORS, Simulators
from junctor.app.supervisor import Child
from junctor.simulators import SIMULATORS


class Machine:
    """Remembers what it was given to keep alive."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def start_child(self, child: Child) -> None:
        self.children.append(child)


def names(machine: Any) -> list[str]:
    return [child.name for child in machine.children]


def test_every_vendor_is_simulated_the_scenarios_first(tmp_path: Path) -> None:
    assert {*VENDORS, *OTHERS} == set(SIMULATORS)
    machine: Any = Machine()
    simulators = Simulators(tmp_path)
    simulators.start(machine, others=True)
    assert names(machine) == [f"sim-{name}" for name in VENDORS]
    assert len(set(simulators.ports.values())) == len(simulators.addresses) == 4
    simulators.start_others(machine)
    assert names(machine)[2:] == [f"sim-{name}" for name in OTHERS]
    for child in machine.children:
        port = simulators.ports[child.name.removeprefix("sim-")]
        assert ("--port", str(port)) in zip(child.command, child.command[1:], strict=False)


def test_they_are_where_they_were_after_a_restart(tmp_path: Path) -> None:
    first, again = Simulators(tmp_path), Simulators(tmp_path)
    machines: list[Any] = [Machine(), Machine()]
    first.start(machines[0], others=True)
    first.start_others(machines[0])
    again.start(machines[1], others=True)
    again.start_others(machines[1])
    assert [child.command for child in machines[0].children] == [
        child.command for child in machines[1].children
    ]


def test_one_that_knows_of_two_forgets_none(tmp_path: Path) -> None:
    machine: Any = Machine()
    whole = Simulators(tmp_path)
    whole.start(machine, others=True)
    Simulators(tmp_path).start(machine)
    later = Simulators(tmp_path)
    later.start(machine, others=True)
    assert later.ports == whole.ports
