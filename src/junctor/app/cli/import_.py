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
        mapped: Annotated[
            list[str] | None,
            typer.Option(
                "--map",
                help="WHAT=NAME: a label, type, module id, module or connector, and the "
                "connection, data store, structure, scenario or hook it gets; new makes a "
                "store or structure. Repeatable.",
            ),
        ] = None,
        connection: Annotated[
            list[str] | None,
            typer.Option(help="MODULE=NAME: module id, module name or connector. Repeatable."),
        ] = None,
        create: Annotated[
            bool, typer.Option("--create", help="Make missing data stores and structures.")
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", "-y", help="Take what is suggested; ask nothing.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Imports a blueprint as an inactive scenario and binds what its modules need.

        At a terminal it asks what to bind, with what fits.
        """
        from junctor.app.cli.inputs import read_bytes
        from junctor.app.cli.mapping import answers, as_record, asks, given, show_bound
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.scenarios import Draft, import_scenario, requirements_of
        from junctor.language import ids

        blueprint = read_bytes(file)
        chosen = given(mapped, connection)
        asking = asks(yes=yes, as_json=as_json, stdin_taken=file == "-")

        async def main() -> Draft:
            async with session() as (core, organization_id):
                said = chosen
                if asking:
                    choice = await requirements_of(
                        core, organization_id, blueprint, mapped=said, create=create
                    )
                    said = await answers(core, organization_id, choice.wants)
                return await import_scenario(
                    core,
                    organization_id,
                    actor=actor(),
                    blueprint=blueprint,
                    name=name,
                    mapped=said,
                    create=create and not asking,
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
                    "requirements": [as_record(want) for want in draft.wants],
                }
            )
            return
        out = console()
        out.print(f"Imported '{draft.scenario.name}' as {shown}.", markup=False)
        show_bound(draft.wants)
        if draft.report is not None:
            from junctor.app.cli.report import show_report

            show_report(out, draft.report, whole=False, bound=True)
        for line in draft.missing:
            out.print(line, markup=False, style="yellow")
        if not draft.missing:
            out.print(f"Start it with `junctor activate {shown}`.", style="dim")
