"""What `pause`, `resume` and `drain` share: a scenario is held or let go on, and said how it is."""

from __future__ import annotations

import asyncio
from typing import Any

from junctor.app.cli.output import ago, console, print_json
from junctor.app.cli.session import actor, run_async, session
from junctor.app.control import Waiting, end_drained, waiting
from junctor.app.scenarios import find_scenario
from junctor.language import ids

__all__ = ["hold", "waiting_line"]

PAUSE = 0.5
"""Seconds between looks while somebody waits for a scenario to be drained."""


def hold(scenario: str, how: Any, *, wait: float | None = None, as_json: bool) -> bool:
    """Holds the scenario of this id or name, and prints what waits for it. With ``wait`` it looks
    until that is done, so many seconds at most; whether it was.
    """

    async def main() -> tuple[Waiting, bool]:
        async with session() as (core, organization_id):
            found = await find_scenario(core, organization_id, scenario)
            held = await core.catalog.hold_scenario(
                organization_id, found.id, actor=actor(), how=how
            )
            loop = asyncio.get_running_loop()
            until = loop.time() + (wait or 0.0)
            await end_drained(core)
            while True:
                now = await core.catalog.scenario(organization_id, held.id)
                off = not now.active
                if off or loop.time() >= until:
                    return await waiting(core, now), off
                await asyncio.sleep(PAUSE)
                await end_drained(core)

    left, off = run_async(main())
    if as_json:
        print_json(_record(left))
    else:
        says = {
            "pause": "is paused: what comes in is kept",
            "proceed": "goes on",
            "drain": "is off: all that waited is done" if off else "takes nothing more",
        }[how]
        out = console()
        out.print(f"'{left.scenario.name}' {says}. {waiting_line(left)}", markup=False)
        for queue in left.blocked:
            assert queue.blocked_by_run is not None
            out.print(
                f"Stands behind {ids.show('run', queue.blocked_by_run)} ({queue.blocked_state}): "
                "`junctor queues` says why.",
                markup=False,
            )
    return off


def waiting_line(left: Waiting) -> str:
    """``3 deliveries wait, the first since …``."""
    if not left.deliveries:
        return "Nothing waits."
    word = "delivery waits" if left.deliveries == 1 else "deliveries wait"
    return f"{left.deliveries:,} {word}, the first since {ago(left.oldest)}."


def _record(left: Waiting) -> dict[str, Any]:
    found = left.scenario
    return {
        "id": ids.show("scn", found.id),
        "name": found.name,
        "active": found.active,
        "paused_at": found.paused_at,
        "draining_at": found.draining_at,
        "queued": left.deliveries,
        "oldest_at": left.oldest,
    }
