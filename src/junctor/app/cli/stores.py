"""`junctor stores`: data stores, and their records below `junctor stores records`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from junctor.app.cli.groups import Listing

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Which = Annotated[str, typer.Argument(help="Its id or name.")]
Structure = Annotated[
    str | None, typer.Option("--structure", help="The data structure its records must fit.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    from junctor.app.cli.records import register as register_records

    group = typer.Typer(
        help="List data stores, add, show, change or remove one; work on its records.",
        cls=Listing,
    )

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """Lists data stores and how many records each has."""
        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.cli.session import run_async, session
        from junctor.app.stores import all_of

        async def main() -> list[Any]:
            async with session() as (core, organization_id):

                async def page(cursor: str | None) -> Any:
                    return await core.catalog.stores(organization_id, cursor=cursor, limit=200)

                return [await _record(core, each) async for each in all_of(page)]

        found = run_async(main())
        if as_json:
            print_json({"stores": found})
            return
        print_table(
            "",
            ("store", "name", "structure", "#records", "made"),
            (
                (
                    each["id"],
                    each["name"],
                    each["structure"],
                    each["records"],
                    ago(each["created_at"]),
                )
                for each in found
            ),
        )

    @group.command("add")
    def add(
        name: Annotated[str, typer.Argument(help="What to call it.")],
        structure: Structure = None,
        as_json: Json = False,
    ) -> None:
        """Adds an empty data store."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.stores import find_structure

        async def main() -> Any:
            async with session() as (core, organization_id):
                shape = None
                if structure is not None:
                    shape = (await find_structure(core, organization_id, structure)).id
                made = await core.catalog.create_store(
                    organization_id, actor=actor(), name=name, structure_id=shape
                )
                return await _record(core, made)

        _say(run_async(main()), "Added", as_json=as_json)

    @group.command("show")
    def show(store: Which, as_json: Json = False) -> None:
        """Shows a data store."""
        from junctor.app.cli.session import run_async, session
        from junctor.app.stores import find_store

        async def main() -> Any:
            async with session() as (core, organization_id):
                return await _record(core, await find_store(core, organization_id, store))

        _say(run_async(main()), "", as_json=as_json)

    @group.command("set")
    def set_(
        store: Which,
        name: Annotated[str | None, typer.Option(help="A new name.")] = None,
        structure: Structure = None,
        no_structure: Annotated[
            bool, typer.Option("--no-structure", help="Anything goes from now on.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Changes a data store's name or structure. Its records stay as they are."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.stores import find_store, find_structure

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_store(core, organization_id, store)
                shape = None
                if structure is not None:
                    shape = (await find_structure(core, organization_id, structure)).id
                changed = await core.catalog.update_store(
                    organization_id,
                    found.id,
                    actor=actor(),
                    revision=found.revision,
                    name=name,
                    structure_id=shape,
                    unbind=no_structure,
                )
                return await _record(core, changed)

        _say(run_async(main()), "Changed", as_json=as_json)

    @group.command("remove")
    def remove(store: Which, as_json: Json = False) -> None:
        """Removes a data store that nothing uses, with all its records."""
        from junctor.app.cli.session import actor, run_async, session
        from junctor.app.stores import find_store

        async def main() -> Any:
            async with session() as (core, organization_id):
                found = await find_store(core, organization_id, store)
                before = await _record(core, found)
                await core.catalog.delete_store(organization_id, found.id, actor=actor())
                return before

        _say(run_async(main()), "Removed", as_json=as_json)

    register_records(group)
    app.add_typer(group, name="stores")


async def _record(core: Any, found: Any) -> dict[str, Any]:
    from junctor.language import ids

    shape = None
    if found.structure_id is not None:
        shape = (await core.catalog.structure(found.organization_id, found.structure_id)).name
    return {
        "id": ids.show("dst", found.id),
        "name": found.name,
        "structure": shape,
        "records": await core.catalog.count_records(found.organization_id, found.id),
        "created_at": found.created_at,
    }


def _say(found: dict[str, Any], verb: str, *, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json

    if as_json:
        print_json(found)
        return
    count = found["records"]
    shape = f", structure '{found['structure']}'" if found["structure"] else ""
    line = f"{verb} '{found['name']}' ({found['id']}, {count} records{shape})."
    console().print(line.lstrip(), markup=False)
