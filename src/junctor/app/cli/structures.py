"""`junctor structures`: what records and parsed bundles should look like."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Which = Annotated[str, typer.Argument(help="Its id or name.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="List data structures, add, show, change or remove one.", cls=Listing)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists data structures."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.stores import all_of

        async def main() -> list[Any]:
            async with session() as (core, organization_id):

                async def page(cursor: str | None) -> Any:
                    return await core.catalog.structures(organization_id, cursor=cursor, limit=200)

                return [each async for each in all_of(page)]

        found = run_async(main())
        if as_json:
            print_json({"structures": [_record(each) for each in found]})
            return
        print_table(
            "",
            ("structure", "name", "fields", "strict", "changed"),
            (
                (
                    _record(each)["id"],
                    each.name,
                    ", ".join(str(field.get("name", "")) for field in each.spec),
                    "yes" if each.strict else "no",
                    ago(each.updated_at),
                )
                for each in found
            ),
        )

    @group.command("add")
    def add(
        name: Annotated[str, typer.Argument(help="What to call it.")],
        file: Annotated[
            str, typer.Argument(help="JSON: a list of fields, or {spec, strict}; - for stdin.")
        ],
        strict: Annotated[
            bool | None, typer.Option(help="Whether other fields are refused.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Adds a data structure from a file."""
        from junctor.app.cli.session import actor, run_async, session

        spec, said = _read(file)

        async def main() -> Any:
            async with session() as (core, organization_id):
                return await core.catalog.create_structure(
                    organization_id,
                    actor=actor(),
                    name=name,
                    spec=spec,
                    strict=bool(said if strict is None else strict),
                )

        _say(run_async(main()), "Added", as_json=as_json)

    @group.command("show")
    def show(structure: Which, as_json: Json = False) -> None:
        """Shows a data structure's fields; as JSON, `add` and `set` read it."""
        from junctor.app.cli.output import print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.stores import find_structure

        async def main() -> Any:
            async with session() as (core, organization_id):
                return await find_structure(core, organization_id, structure)

        found = run_async(main())
        if as_json:
            print_json(_record(found))
            return
        print_table(
            f"{found.name}{' (strict)' if found.strict else ''}",
            ("field", "type", "required", "default"),
            (
                (
                    field.get("name"),
                    field.get("type", "any"),
                    "yes" if field.get("required") else "",
                    field.get("default"),
                )
                for field in found.spec
            ),
        )

    @group.command("set")
    def set_(
        structure: Which,
        file: Annotated[str | None, typer.Option(help="New fields, as for `add`.")] = None,
        name: Annotated[str | None, typer.Option(help="A new name.")] = None,
        strict: Annotated[
            bool | None, typer.Option(help="Whether other fields are refused.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Changes a data structure. Stored records stay as they are."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.stores import find_structure

        spec, said = _read(file) if file is not None else (None, None)

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_structure(core, organization_id, structure)
                return await core.catalog.update_structure(
                    organization_id,
                    found.id,
                    actor=actor(),
                    revision=found.revision,
                    name=name,
                    spec=spec,
                    strict=said if strict is None else strict,
                )

        _say(run_async(main()), "Changed", as_json=as_json)

    @group.command("remove")
    def remove(structure: Which, as_json: Json = False) -> None:
        """Removes a data structure that nothing uses."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.stores import find_structure

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_structure(core, organization_id, structure)
                await core.catalog.delete_structure(organization_id, found.id, actor=actor())
                return found

        _say(run_async(main()), "Removed", as_json=as_json)

    app.add_typer(group, name="structures")


def _read(path: str) -> tuple[list[dict[str, Any]], bool | None]:
    """The fields in a file, and whether it says strict. Make's own export has more around them."""
    from junctor.app.cli.inputs import read_json
    from junctor.app.stores import checked_spec

    found = read_json(path if path == "-" else f"@{path}")
    if isinstance(found, dict) and isinstance(found.get("dataStructure"), dict):
        found = found["dataStructure"]
    if isinstance(found, dict):
        strict = found.get("strict")
        return checked_spec(found.get("spec")), strict if isinstance(strict, bool) else None
    return checked_spec(found), None


def _record(found: Any) -> dict[str, Any]:
    from junctor.language import ids

    return {
        "id": ids.show("str", found.id),
        "name": found.name,
        "spec": found.spec,
        "strict": found.strict,
    }


def _say(found: Any, verb: str, *, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json

    if as_json:
        print_json(_record(found))
    else:
        line = f"{verb} '{found.name}' ({_record(found)['id']}, {len(found.spec)} fields)."
        console().print(line, markup=False)
