"""`junctor retention`: how long the history of new scenarios stays."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("retention")
    def retention(
        chosen: Annotated[
            str | None, typer.Argument(metavar="[CLASS]", help="short, standard or long.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Shows or sets what scenarios made from now on begin with; others stay as they are."""
        from junctor.app.cli.inputs import Usage
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.ports.catalog_rows import Retention
        from junctor.runtime.maintenance import RETENTION_DAYS

        if chosen is not None and chosen not in get_args(Retention):
            raise Usage(
                f"'{chosen}' is no retention class: {', '.join(get_args(Retention))}.",
                path="retention",
            )

        async def main() -> str:
            async with session() as (core, organization_id):
                found = await core.catalog.organization(organization_id)
                if chosen is not None:
                    found = await core.catalog.update_organization(
                        organization_id,
                        actor=actor(),
                        revision=found.revision,
                        retention=cast("Retention", chosen),
                    )
                return found.retention

        kept = run_async(main())
        if as_json:
            print_json({"retention": kept, "days": RETENTION_DAYS[kept]})
            return
        console().print(f"New scenarios keep their history {RETENTION_DAYS[kept]} days ({kept}).")
