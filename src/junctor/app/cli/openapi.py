"""`junctor openapi`: connectors made of OpenAPI documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from junctor.app.cli.groups import Listing

if TYPE_CHECKING:
    from junctor.runtime.documents import Documents

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Name = Annotated[str, typer.Argument(help="The connector's name.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Make connectors of OpenAPI documents.", cls=Listing)

    @group.command("add")
    def add(
        source: Annotated[str, typer.Argument(help="A file or address: OpenAPI 3, JSON or YAML.")],
        name: Annotated[str, typer.Option(help="What to call the connector.")],
        base_url: Annotated[
            str | None, typer.Option(help="Where the API is, if not where the document says.")
        ] = None,
        replace: Annotated[
            bool, typer.Option("--replace", help="Instead of an older one.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Adds a document: each of its operations becomes a module."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import run_async
        from junctor.app.openapi import add_document, compile_text, fetch
        from junctor.app.settings import Settings

        settings = Settings.from_env().as_running()
        content = run_async(fetch(source, settings))
        compiled = compile_text(content, name=name, source=source, base_url=base_url)
        _, replaced = add_document(compiled, _documents(), replace=replace)
        if as_json:
            print_json(_row(compiled))
            return
        out = console()
        out.print(
            f"'{name}' has {len(compiled['operations'])} modules at {compiled['base_url']}.",
            markup=False,
        )
        for note in compiled["notes"]:
            out.print(f"Note: {note}.", style="yellow", markup=False)
        if replaced:
            out.print("Restart servers and workers that run: they know the older document.")
        if compiled["accounts"]:
            out.print(f"Next: junctor connections add {name}", markup=False)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists the documents."""
        from junctor.app.cli.output import print_json, print_table
        from junctor.errors import Misconfigured

        documents = _documents()
        rows = []
        for name in documents.names():
            try:
                facts = documents.facts(name)
            except Misconfigured as error:
                rows.append({"name": name, "problem": error.message})
                continue
            if facts is not None:
                rows.append(_checked(name, facts, documents))
        if as_json:
            print_json({"documents": rows})
            return
        print_table(
            "",
            ("name", "API", "version", "#modules", "address", "problem"),
            (
                [row.get(key, "") for key in ("name", "label", "version", "modules")]
                + [row.get("base_url", ""), row.get("problem", "")]
                for row in rows
            ),
        )

    @group.command("show")
    def show(name: Name, as_json: Json = False) -> None:
        """Shows what was made of a document: its accounts, modules and what was left out."""
        from junctor.app.cli.output import console, print_json, print_table
        from junctor.errors import NotFound

        documents = _documents()
        connector = documents.connector(name)
        facts = documents.facts(name)
        if connector is None or facts is None:
            known = ", ".join(documents.names()) or "none"
            raise NotFound(f"There is no OpenAPI document '{name}'. There are: {known}.")
        if as_json:
            print_json({**_row(facts), "notes": facts["notes"], "operations": facts["operations"]})
            return
        out = console()
        out.print(f"{facts['label']} {facts['version']}, from {facts['source']}", markup=False)
        out.print(f"Requests go to {facts['base_url']}.", markup=False)
        for kind, definition in connector.connections.items():
            out.print(f"Connection '{kind}': {definition.label}", markup=False)
        print_table(
            "",
            ("module", "kind", "effect", "operation"),
            (
                (module.name, module.kind, module.effect, f"{each['method']} {each['path']}")
                for module, each in zip(
                    connector.modules.values(), facts["operations"], strict=True
                )
            ),
        )
        for note in facts["notes"]:
            out.print(f"Note: {note}.", style="yellow", markup=False)

    @group.command("remove")
    def remove(name: Name, as_json: Json = False) -> None:
        """Removes a document. Scenarios that use its modules no longer run."""
        from junctor.app.cli.output import console, print_json
        from junctor.app.openapi import remove_document

        remove_document(name, _documents())
        if as_json:
            print_json({"removed": name})
        else:
            console().print(
                f"'{name}' is removed. Servers and workers that run know it until they restart.",
                markup=False,
            )

    app.add_typer(group, name="openapi")


def _documents() -> Documents:
    from junctor.app.settings import Settings
    from junctor.runtime.documents import Documents

    return Documents(Settings.from_env().connectors_dir)


def _row(facts: dict[str, Any]) -> dict[str, Any]:
    known = ("name", "label", "version", "base_url", "source", "notes")
    return {
        **{key: facts.get(key, "") for key in known},
        "modules": len(facts.get("operations", ())),
        "connections": list(facts.get("accounts", ())),
    }


def _checked(name: str, facts: dict[str, Any], documents: Documents) -> dict[str, Any]:
    from junctor.app.openapi import problem_of

    problem = problem_of(name, documents)
    return {**_row(facts), "problem": problem.message} if problem else _row(facts)
