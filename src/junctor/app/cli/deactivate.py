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
        from junctor.app.cli.switched import switch

        switch(scenario, activation.deactivate, says="is inactive", as_json=as_json)
