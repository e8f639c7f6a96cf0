"""`junctor notices`: what happened that somebody may have to know."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("notices")
    def notices(
        kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
        scenario: Annotated[str | None, typer.Option(help="Only of this one: id or name.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 30,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists what happened that somebody may have to know, newest first, and who was told."""
        from junctor.app.api.notifications import notice_view
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.notifications import notices as found_notices
        from junctor.app.scenarios import find_scenario
        from junctor.runtime.notice_texts import KINDS

        if kind is not None and kind not in KINDS:
            raise Usage(f"'{kind}' is no kind of notice. There are: {', '.join(KINDS)}.")

        async def main() -> list[Any]:
            async with session() as (core, organization_id):
                only = await find_scenario(core, organization_id, scenario) if scenario else None
                return await found_notices(
                    core,
                    organization_id,
                    kind=kind,
                    scenario_id=only.id if only else None,
                    limit=limit,
                )

        shown = [notice_view(each) for each in run_async(main())]
        if as_json:
            names = ("id", "kind", "text", "scenario", "run", "subject", "params", "created_at")
            told = ("told_at", "told")
            rows = [{each: getattr(one, each) for each in (*names, *told)} for one in shown]
            print_json({"notices": rows})
            return
        print_table(
            "",
            ("when", "kind", "what", "run", "told"),
            (
                (ago(each.created_at), each.kind, each.text, each.run, ", ".join(each.told) or "-")
                for each in shown
            ),
        )
