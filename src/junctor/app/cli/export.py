"""`junctor export`: a scenario's blueprint, as it was imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("export")
    def export(
        scenario: Annotated[str, typer.Argument(help="Its id or name.")],
        output: Annotated[
            Path | None, typer.Option("-o", "--output", help="A file; standard output otherwise.")
        ] = None,
        version: Annotated[int | None, typer.Option(help="Which version; the draft.")] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="With -o: say as JSON what was written.")
        ] = False,
    ) -> None:
        """Exports a scenario's blueprint: the same JSON value as imported, numbers as spelled."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async, session
        from junctor.app.scenarios import export_scenario, find_scenario
        from junctor.errors import Misconfigured

        async def main() -> str:
            async with session() as (core, organization_id):
                found = await find_scenario(core, organization_id, scenario)
                return await export_scenario(core, organization_id, found, version=version)

        text = run_async(main())
        if output is None:
            typer.echo(text)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Misconfigured(
                f"{output} can't be written: {error.strerror or error}.", path=str(output)
            ) from error
        if as_json:
            print_json({"file": str(output), "bytes": len(text.encode())})
        else:
            console().print(f"Written to {output}.", markup=False)
