"""`junctor activate`: a scenario begins to run."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("activate")
    def activate(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Publishes the draft, makes its hook, registers it with the vendor, and starts."""
        from junctor.app import activation
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.cli.switched import show_switched
        from junctor.app.scenarios import find_scenario

        async def main() -> tuple[activation.Activated, list[str]]:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                done = await activation.activate(core, found, actor=actor())
                return done, [core.registrations.url(hook) for hook in done.hooks]

        done, urls = run_async(main())
        show_switched(done, urls, says="is active", as_json=as_json)
