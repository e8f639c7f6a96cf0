"""`junctor variables`: custom variables of the organisation and its teams."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Team = Annotated[
    str | None, typer.Option(help="Of this team, by its name; the organisation's otherwise.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List, set or remove custom variables.", cls=Listing)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists variables and how mappings name them."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.variables import all_variables, reads_as

        async def main() -> list[Any]:
            async with session() as (core, organization_id):
                return await all_variables(core, organization_id)

        found = sorted(run_async(main()), key=reads_as)
        if as_json:
            print_json({"variables": [_record(each) for each in found]})
            return
        print_table(
            "",
            ("variable", "type", "value", "changed", "by"),
            (
                (
                    reads_as(each),
                    each.value.get("type"),
                    _shown(each.value.get("value")),
                    ago(each.updated_at),
                    each.updated_by,
                )
                for each in found
            ),
        )

    @group.command("set")
    def set_(
        name: Annotated[str, typer.Argument(help="Letters, digits and _, no digit first.")],
        value: Annotated[str, typer.Argument(help="Its value.")],
        kind: Annotated[
            str | None,
            typer.Option("--type", help="text, number, boolean or date; text if it is new."),
        ] = None,
        team: Team = None,
        as_json: Json = False,
    ) -> None:
        """Makes a variable, or gives the one of that name another value."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.variables import reads_as, set_variable, team_of

        async def main() -> Any:
            async with session() as (core, organization_id):
                return await set_variable(
                    core,
                    organization_id,
                    actor=actor(),
                    name=name,
                    type_name=kind,
                    value=value,
                    team_id=await team_of(core, organization_id, team),
                )

        found = run_async(main())
        if as_json:
            print_json(_record(found))
        else:
            shown = _shown(found.value.get("value"))
            console().print(f"{reads_as(found)} is {shown}", markup=False)

    @group.command("remove")
    def remove(
        name: Annotated[str, typer.Argument(help="Its name.")],
        team: Team = None,
        as_json: Json = False,
    ) -> None:
        """Removes a variable; mappings that read it find nothing from then on."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.variables import find, reads_as, team_of

        async def main() -> Any:
            async with session() as (core, organization_id):
                team_id = await team_of(core, organization_id, team)
                found = await find(core, organization_id, name, team_id)
                await core.catalog.delete_variable(organization_id, found.id, actor=actor())
                return found

        gone = run_async(main())
        if as_json:
            print_json(_record(gone))
        else:
            console().print(f"Removed {reads_as(gone)}", markup=False)

    app.add_typer(group, name="variables")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _record(found: Any) -> dict[str, Any]:
    from junctor.app.variables import reads_as
    from junctor.language import ids

    return {
        "id": ids.show("var", found.id),
        "name": found.name,
        "team": ids.show("team", found.team_id) if found.team_id else None,
        "type": found.value.get("type"),
        "value": found.value.get("value"),
        "reads_as": reads_as(found),
        "revision": found.revision,
        "updated_at": found.updated_at,
        "updated_by": found.updated_by,
    }
