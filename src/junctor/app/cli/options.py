"""`junctor options`: what a field may hold, from the account."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("options")
    def options(
        module: Annotated[str, typer.Argument(help="E.g. toky:createTextMessage.")],
        field: Annotated[
            str, typer.Argument(help="A field with a pick-list, e.g. from, or lines[].sku.")
        ],
        connection: Annotated[
            str | None, typer.Option(help="Its id or name; the connector's only one otherwise.")
        ] = None,
        given: Annotated[
            str,
            typer.Option(
                "--input", help="What the form holds so far, as a JSON object; @FILE, or -."
            ),
        ] = "{}",
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Lists what a module's field may hold, asked of your own account, or of Junctor itself."""
        from junctor.app.cli.call import connection_of
        from junctor.app.cli.inputs import Usage, read_json
        from junctor.app.cli.output import print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.picking import choices

        values = read_json(given)
        if not isinstance(values, dict):
            raise Usage("The input must be a JSON object.")

        async def main() -> Any:
            async with session() as (core, organization_id):
                connector = module.partition(":")[0]
                chosen = await connection_of(core, organization_id, connector, connection)
                return await choices(
                    core, organization_id, module, field, connection_id=chosen, values=values
                )

        found = run_async(main())
        if as_json:
            print_json({"options": [{"value": row.value, "label": row.label} for row in found]})
        else:
            print_table("", ["value", "label"], [[str(row.value), row.label] for row in found])
