"""`junctor backtest`: a draft, run over what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]

SHOWN = 20
"""Changed runs that are printed for people."""


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("backtest")
    def backtest(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        last: Annotated[int, typer.Option(min=1, max=100_000, help="How many runs.")] = 1_000,
        version: Annotated[
            str, typer.Option(help="Which version: a number, newest or draft.")
        ] = "draft",
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Runs a version over the last recorded runs and shows what would go another way.

        Nothing is sent: effects are answered from the runs' journals. Exit 1 if anything changes.
        """
        import msgspec

        from junctor.app import telling
        from junctor.app.cli.again import read_version, show_changes
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import find_scenario
        from junctor.app.views import backtest_view

        async def main() -> telling.Backtest:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await telling.backtest(core, found, last=last, version=read_version(version))

        made = run_async(main())
        if as_json:
            print_json(msgspec.to_builtins(backtest_view(made)))
        else:
            for each in (*made.changed[:SHOWN], *made.untold[:SHOWN]):
                show_changes(each, as_json=False)
            kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(made.kinds.items()))
            console().print(
                f"{made.runs} runs on version {made.version}: {len(made.changed)} go another way"
                + (f" ({kinds})" if kinds else "")
                + (f"; {len(made.untold)} can't be told again" if made.untold else "")
                + ".",
                markup=False,
            )
        if made.changed:
            raise typer.Exit(1)
