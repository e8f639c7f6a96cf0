"""`junctor scenarios`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("scenarios")
    def scenarios(
        active: Annotated[bool, typer.Option("--active", help="Only active ones.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists scenarios, newest first."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import all_scenarios
        from junctor.language import ids
        from junctor.ports.catalog import Scenario

        async def main() -> list[Scenario]:
            async with session() as (core, organization_id):
                found = await all_scenarios(core, organization_id)
                return [each for each in found if each.active or not active]

        found = run_async(main())
        if as_json:
            rows = [
                {
                    "id": ids.show("scn", each.id),
                    "name": each.name,
                    "active": each.active,
                    "draft": each.draft,
                    "published": each.published,
                    "updated_at": each.updated_at,
                    "updated_by": each.updated_by,
                }
                for each in found
            ]
            print_json({"scenarios": rows})
            return
        print_table(
            "",
            ("scenario", "name", "active", "#draft", "#published", "changed", "by"),
            (
                (
                    ids.show("scn", each.id),
                    each.name,
                    "yes" if each.active else "no",
                    each.draft,
                    each.published or "-",
                    ago(each.updated_at),
                    each.updated_by,
                )
                for each in found
            ),
        )
