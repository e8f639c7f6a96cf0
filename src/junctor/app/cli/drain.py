"""`junctor drain`: a scenario does what waits, and is off then."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("drain")
    def drain(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        wait: Annotated[
            bool, typer.Option("--wait", help="Wait until it is off. Exit 1 if it is not in time.")
        ] = False,
        timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait.")] = 3600.0,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Takes no more deliveries (hooks answer 503), works off what waits, then is off by itself.

        `junctor resume` takes it back.
        """
        from junctor.app.cli.held import hold

        if not hold(scenario, "drain", wait=timeout if wait else None, as_json=as_json) and wait:
            raise typer.Exit(1)
