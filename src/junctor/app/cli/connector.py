"""`junctor connector`: write a connector of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Start a connector of your own, or check one.", no_args_is_help=True)

    @group.command("new")
    def new(
        name: Annotated[str, typer.Argument(help="The connector's name, such as acme.")],
        directory: Annotated[
            Path | None, typer.Argument(help="Where; default: junctor-NAME here.")
        ] = None,
        label: Annotated[str | None, typer.Option(help="How people read its name.")] = None,
        as_json: Json = False,
    ) -> None:
        """Writes a package with a search, an action and an instant trigger to begin with."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.scaffold import scaffold

        place = directory if directory is not None else Path(f"junctor-{name}")
        files = scaffold(name, place, label=label)
        if as_json:
            print_json({"name": name, "files": [str(file) for file in files]})
            return
        out = console()
        for file in files:
            out.print(str(file), markup=False)
        out.print(f"Next: junctor connector check {place}", markup=False)

    @group.command("check")
    def check(
        target: Annotated[
            str, typer.Argument(help="A package's folder, a Python file, a module, or a name.")
        ],
        as_json: Json = False,
    ) -> None:
        """Checks a connector against the contract of all connectors. Its code is run."""
        from junctor.app.checking import check_connector, find_connectors
        from junctor.app.cli.output import console, print_json, print_table

        found = find_connectors(target)
        broken = {each.connector.name: check_connector(each) for each in found}
        if as_json:
            rows = [
                {
                    "connector": each.connector.name,
                    "modules": len(each.connector.modules),
                    "problems": [
                        {"where": row.where, "rule": row.rule, "message": row.message}
                        for row in broken[each.connector.name]
                    ],
                }
                for each in found
            ]
            print_json({"connectors": rows})
        else:
            for each in found:
                name, count = each.connector.name, len(each.connector.modules)
                rules = broken[name]
                if rules:
                    print_table(
                        "",
                        ("where", "rule", "problem"),
                        ((row.where, row.rule, row.message) for row in rules),
                    )
                said = f"{len(rules)} problems" if rules else "keeps the contract"
                console().print(f"'{name}' with {count} modules: {said}.", markup=False)
        if any(broken.values()):
            raise typer.Exit(1)

    app.add_typer(group, name="connector")
