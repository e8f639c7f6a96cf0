"""The demo's vendors: simulators as child processes, and their admin APIs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import Any

from junctor.app.machine import Machine, fetch_json
from junctor.app.settings import free_port, is_free
from junctor.app.supervisor import Child, junctor_command
from junctor.errors import Misconfigured

__all__ = ["OTHERS", "VENDORS", "Simulators"]

VENDORS = {"toky": "Toky (simulated)", "highlevel": "HighLevel (simulated)"}
"""Those of the demo's scenario, and what their connections are called."""
OTHERS = {"signalwire": "SignalWire (simulated)", "crisp": "Crisp (simulated)"}
"""Those that are there to be tried out; they start when the demo has been shown."""
FIRST_PORT = 8801
SPEED = "10"
"""The vendors' clocks run so much faster: HighLevel's window of 100 requests in 10 s takes 1 s."""


class Simulators:
    """The vendors' doubles, as child processes. Ports and seeds are kept in the data directory, so
    that a restart finds the same vendors with the same credentials.
    """

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "demo.json"
        self.ports: dict[str, int] = {}
        self._seeds: dict[str, int] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def start(self, machine: Machine, *, others: bool = False) -> None:
        """Starts those of the scenario under the machine's supervisor; with ``others``, the rest
        have their addresses from now on, too, and wait for `start_others`.
        """
        kept = self._kept()
        used: set[int] = set()
        for position, name in enumerate((*VENDORS, *OTHERS) if others else VENDORS):
            port = kept["ports"].get(name, FIRST_PORT + position)
            while port in used or not is_free("127.0.0.1", port):
                port = free_port("127.0.0.1", port + 1)
            used.add(port)
            self.ports[name] = port
            self._seeds[name] = kept["seeds"].get(name) or secrets.randbelow(2**31)
        for name in VENDORS:
            self._start(machine, name)
        now = {"ports": kept["ports"] | self.ports, "seeds": kept["seeds"] | self._seeds}
        self._file.write_text(json.dumps(now))
        self._file.chmod(0o600)

    def start_others(self, machine: Machine) -> None:
        """Starts the rest."""
        for name in OTHERS:
            self._start(machine, name)

    def _start(self, machine: Machine, name: str) -> None:
        options = ("--port", str(self.ports[name]), "--seed", str(self._seeds[name]))
        command = junctor_command("sim", name, *options, "--clock-factor", SPEED, "--json")
        machine.start_child(Child(name=f"sim-{name}", command=command))

    def _kept(self) -> dict[str, dict[str, int]]:
        try:
            found = json.loads(self._file.read_text())
            return {"ports": dict(found["ports"]), "seeds": dict(found["seeds"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {"ports": {}, "seeds": {}}

    @property
    def addresses(self) -> tuple[str, ...]:
        """What egress must allow, exactly."""
        return tuple(f"127.0.0.1:{port}" for port in self.ports.values())

    async def facts(self, name: str, *, within: float = 20.0) -> dict[str, Any]:
        """``base_url``, ``admin_url`` and ``credentials``, once the simulator answers."""
        if name not in self._facts:
            deadline = time.monotonic() + within
            status = 0
            found: Any = None
            while status != 200:
                status, found = await self._admin(name, "")
                if status != 200 and time.monotonic() > deadline:
                    raise Misconfigured(f"The simulator of {name} did not start in {within:.0f} s.")
                if status != 200:
                    await asyncio.sleep(0.05)
            self._facts[name] = found
        return self._facts[name]

    async def state(self, name: str) -> dict[str, Any]:
        """All that a vendor holds."""
        _, found = await self._admin(name, "/state")
        return dict(found)

    async def simulate(self, calls: int, *, seed: int) -> dict[str, Any]:
        """Lets calls come in; what was made."""
        body = {"count": calls, "seed": seed}
        status, found = await self._admin("toky", "/calls", method="POST", body=body)
        if status != 202:
            raise Misconfigured(f"The simulator of toky refused: {found}")
        return dict(found)

    async def deliveries(self, *, limit: int = 0) -> dict[str, Any]:
        """What became of the webhooks it sent."""
        _, found = await self._admin("toky", f"/deliveries?limit={limit}")
        return dict(found)

    async def _admin(
        self, name: str, path: str, *, method: str = "GET", body: Any = None
    ) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.ports[name]}/_sim{path}"
        return await asyncio.to_thread(fetch_json, url, method=method, body=body)
