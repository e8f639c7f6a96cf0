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
        from junctor.app.cli.switched import switch

        switch(scenario, activation.activate, says="is active", as_json=as_json)
