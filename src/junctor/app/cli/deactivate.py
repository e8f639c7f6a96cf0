"""`junctor deactivate`: a scenario stops."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("deactivate")
    def deactivate(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Stops a scenario and removes its hooks at the vendors; what has come in is kept."""
        from junctor.app import activation
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.cli.switched import show_switched
        from junctor.app.scenarios import find_scenario

        async def main() -> tuple[activation.Activated, list[str]]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                done = await activation.deactivate(core, found, actor=actor())
                return done, [core.registrations.url(hook) for hook in done.hooks]

        done, urls = run_async(main())
        show_switched(done, urls, says="is inactive", as_json=as_json)
