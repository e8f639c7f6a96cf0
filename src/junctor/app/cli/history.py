"""What `junctor runs` writes to a file."""

from __future__ import annotations

from dataclasses import replace

from junctor.app.search import Filters, as_csv

__all__ = ["write_csv"]


async def write_csv(path: str, filters: Filters, scenario: str | None) -> None:
    """Writes the runs to a file (``-``: standard output), a page at a time."""
    from junctor.app.cli.output import target
    from junctor.app.cli.session import session
    from junctor.app.scenarios import all_scenarios, find_scenario

    async with session() as (core, organization_id):
        only = await find_scenario(core, organization_id, scenario) if scenario else None
        asked = replace(filters, scenario_id=only.id if only else None)
        names = {each.id: each.name for each in await all_scenarios(core, organization_id)}
        with target(path) as out:  # a page in memory at a time; nobody else waits for this process
            async for each in as_csv(core, organization_id, asked, names):
                out.write(each)
