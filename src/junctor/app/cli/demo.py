"""`junctor demo`: the demo, to look at or as a check."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("demo")
    def demo(
        once: Annotated[
            bool,
            typer.Option(
                "--once", help="In a data directory of its own; check, stop, exit 0 or 1."
            ),
        ] = False,
        calls: Annotated[
            int | None, typer.Option(min=1, max=100_000, help="Calls to simulate (100).")
        ] = None,
        port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Machine-readable; with --once.")
        ] = False,
    ) -> None:
        """Simulated vendors, the example scenario, and calls that run through it.

        Without --once it is `junctor up --demo`: it stays up until Ctrl-C.
        """
        from junctor.app.cli.output import print_json
        from junctor.app.cli.session import run_async
        from junctor.app.cli.up import until_stopped
        from junctor.app.settings import Settings

        settings = Settings.from_env()
        if not once:
            from junctor.app.up import run_up

            run_async(until_stopped(run_up(settings.bound(port=port), demo=True, calls=calls)))
            return
        from junctor.app.demo import CALLS
        from junctor.app.demo_show import run_once

        result: dict[str, object] = {"ok": False, "problems": ["stopped before its end"]}

        async def main() -> None:
            result.update(await run_once(settings, calls=calls or CALLS, as_json=as_json))

        run_async(until_stopped(main()))
        if as_json:
            print_json(result)
        if not result["ok"]:
            raise typer.Exit(1)
