"""`junctor import`: a blueprint becomes a scenario."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("import")
    def import_(
        file: Annotated[str, typer.Argument(help="A blueprint's file; - is standard input.")],
        name: Annotated[str | None, typer.Option(help="What to call the scenario.")] = None,
        connection: Annotated[
            list[str] | None,
            typer.Option(help="MODULE=NAME: module id, module name or connector. Repeatable."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Imports a blueprint as an inactive scenario and binds its connections."""
        from junctor.app.cli.inputs import pairs, read_bytes
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import Draft, import_scenario
        from junctor.language import ids

        blueprint = read_bytes(file)
        chosen = pairs(connection or [])

        async def main() -> Draft:
            async with session() as (core, organization_id):
                return await import_scenario(
                    core,
                    organization_id,
                    actor=actor(),
                    blueprint=blueprint,
                    name=name,
                    connections=chosen,
                )

        draft = run_async(main())
        shown = ids.show("scn", draft.scenario.id)
        if as_json:
            problems = [
                {"path": each.path, "severity": each.severity, "message": each.message}
                for each in draft.problems
            ]
            print_json(
                {
                    "id": shown,
                    "name": draft.scenario.name,
                    "missing": draft.missing,
                    "problems": problems,
                }
            )
            return
        out = console()
        out.print(f"Imported '{draft.scenario.name}' as {shown}.", markup=False)
        for problem in draft.problems:
            out.print(f"{problem.severity}: {problem.path}: {problem.message}", markup=False)
        for line in draft.missing:
            out.print(line, markup=False, style="yellow")
        if not draft.missing:
            out.print(f"Start it with `junctor activate {shown}`.", style="dim")
