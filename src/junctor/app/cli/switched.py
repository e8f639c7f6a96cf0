"""What `activate` and `deactivate` share: a scenario is switched, and said how it is then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from junctor.app.activation import Activated
from junctor.app.cli.output import console, print_json
from junctor.app.cli.session import actor, run_async, session
from junctor.app.scenarios import find_scenario
from junctor.language import ids

__all__ = ["switch"]


def switch(
    scenario: str, work: Callable[..., Awaitable[Activated]], *, says: str, as_json: bool
) -> None:
    """Does ``work`` with the scenario of this id or name, and prints how it is then.

    Exit code 1 if a vendor does not agree.
    """

    async def main() -> tuple[Activated, list[str]]:
        async with session() as (core, organization_id):
            found = await find_scenario(core, organization_id, scenario)
            done = await work(core, found, actor=actor())
            return done, [core.registrations.url(hook) for hook in done.hooks]

    _show(*run_async(main()), says=says, as_json=as_json)


def _show(done: Activated, urls: list[str], *, says: str, as_json: bool) -> None:
    hooks = [
        {
            "id": ids.show("hok", hook.id),
            "url": url,
            "registered": hook.registration is not None,
            "error": hook.registration_error,
        }
        for hook, url in zip(done.hooks, urls, strict=True)
    ]
    if as_json:
        print_json(
            {
                "id": ids.show("scn", done.scenario.id),
                "name": done.scenario.name,
                "active": done.scenario.active,
                "hooks": hooks,
                "warnings": done.warnings,
            }
        )
    else:
        out = console()
        out.print(f"'{done.scenario.name}' {says}.", markup=False)
        for hook in hooks:
            state = " (registered with the vendor)" if hook["registered"] else ""
            if not done.scenario.active:
                state = " (still registered with the vendor)" if hook["registered"] else ""
                state = f" keeps its address, and what comes in waits{state}"
            out.print(f"Hook {hook['url']}{state}", markup=False, soft_wrap=True)
        for line in done.warnings:
            out.print(line, style="yellow", markup=False)
    if done.warnings:
        raise typer.Exit(1)
