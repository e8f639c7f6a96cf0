from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

from sim_client import Time, Vendor, call, receiving, until

from junctor.simulators import SIMULATORS, make
from junctor.simulators.faults import Fault, FaultKind
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import running

PAGE = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text(encoding="utf-8")


def test_the_page_names_every_fault_and_every_field_of_one() -> None:
    for kind in get_args(FaultKind):
        assert f"| `{kind}` |" in PAGE
    for name in set(Fault.__struct_fields__) - {"kind", "id", "struck", "message"}:
        assert f"`{name}" in PAGE or f'"{name}"' in PAGE, name


def test_the_page_names_every_address_of_the_admin_api() -> None:
    for name in SIMULATORS:
        for route in make(name).admin_routes():
            assert f"{route.path}`" in PAGE, route.path


def test_stopping_waits_for_nothing() -> None:
    async def run() -> None:
        time = Time()
        clock = time.clock()
        forever = asyncio.Event()
        clock._sleep = lambda _seconds: forever.wait()
        async with receiving((500,)) as receiver:
            async with running(HighLevelSimulator(seed=1, clock=clock)) as sim:
                vendor = Vendor(sim)
                await vendor.admin("POST", "/hooks", {"url": receiver.url})
                await vendor.admin("POST", "/events", {"type": "X"})
                await vendor.fault(kind="hang")
                url = sim.base_url + "/users/"
                hung = asyncio.create_task(call("GET", url, headers=vendor.headers))
                await until(lambda: sim.journal.in_flight == 1 and len(receiver.requests) == 1)
            (outcome,) = await asyncio.gather(hung, return_exceptions=True)
            assert isinstance(outcome, ConnectionError | ValueError)
            assert sim.journal.in_flight == 0

    asyncio.run(run())
