"""`junctor deactivate`: a scenario stops."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("deactivate")
    def deactivate(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        stop_runs: Annotated[
            bool,
            typer.Option(
                "--stop-runs", help="Discard runs under way, before their next operation."
            ),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Stops a scenario and removes its hooks at the vendors; what has come in is kept."""
        from junctor.app import activation
        from junctor.app.cli.switched import switch
        from junctor.app.control import stop_all

        async def work(core: Any, found: Any, *, actor: str) -> activation.Activated:
            done = await activation.deactivate(core, found, actor=actor)
            if stop_runs:
                await stop_all(core, found, actor=actor)
            return done

        switch(scenario, work, says="is inactive", as_json=as_json)
