"""What `junctor runs` writes to a file."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from junctor.app.search import Filters, as_csv

__all__ = ["write_csv"]


async def write_csv(target: str, filters: Filters, scenario: str | None) -> None:
    """Writes the runs to a file (``-``: standard output), a page at a time."""
    from junctor.app.cli.session import session
    from junctor.app.scenarios import all_scenarios, find_scenario

    async with session() as (core, organization_id):
        only = await find_scenario(core, organization_id, scenario) if scenario else None
        asked = replace(filters, scenario_id=only.id if only else None)
        names = {each.id: each.name for each in await all_scenarios(core, organization_id)}
        lines = as_csv(core, organization_id, asked, names)
        if target == "-":
            async for each in lines:
                sys.stdout.write(each)
            return
        # A page in memory at a time; nobody else waits for this process.
        with await asyncio.to_thread(Path(target).open, "w", encoding="utf-8", newline="") as out:
            async for each in lines:
                out.write(each)
