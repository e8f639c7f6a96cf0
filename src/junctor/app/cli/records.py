"""`junctor stores records`: the records of a data store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, BinaryIO

import typer

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Store = Annotated[str, typer.Argument(help="The data store's id or name.")]
Key = Annotated[str, typer.Argument(help="The record's key.")]
Format = Annotated[
    str | None, typer.Option("--format", help="jsonl, json or csv; else as the file's name says.")
]
KeyColumn = Annotated[str, typer.Option("--key", help="The CSV's column with the key.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="List, read, write or remove records; import and export them.", no_args_is_help=True
    )

    @group.command("list")
    def list_(
        store: Store,
        limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
        as_json: Json = False,
    ) -> None:
        """Lists records by key."""
        import json

        from junctor.app.cli.output import ago, print_json, print_table
        from junctor.app.stores import shown

        async def work(core: Any, found: Any) -> Any:
            return await core.catalog.records(found.organization_id, found.id, limit=limit)

        page = _with(store, work)
        if as_json:
            print_json({"records": [_record(each) for each in page.items]})
            return
        print_table(
            "",
            ("key", "data", "changed", "by"),
            (
                (
                    each.key,
                    json.dumps(shown(each), ensure_ascii=False)[:200],
                    ago(each.updated_at),
                    each.updated_by,
                )
                for each in page.items
            ),
        )

    @group.command("get")
    def get(store: Store, key: Key, as_json: Json = False) -> None:
        """Shows a record's data."""
        from junctor.app.cli.output import print_json
        from junctor.app.stores import shown

        async def work(core: Any, found: Any) -> Any:
            return await core.catalog.record(found.organization_id, found.id, key)

        record = _with(store, work)
        print_json(_record(record) if as_json else shown(record))

    @group.command("put")
    def put(
        store: Store,
        key: Key,
        data: Annotated[str, typer.Argument(help="Its data as JSON; @FILE, or - for stdin.")],
        as_json: Json = False,
    ) -> None:
        """Adds or replaces a record; it must fit the store's structure."""
        from junctor.app.cli.inputs import read_json
        from junctor.app.cli.output import console, print_json
        from junctor.app.cli.session import actor
        from junctor.app.stores import put_record

        given = read_json(data)

        async def work(core: Any, found: Any) -> Any:
            return await put_record(
                core, found.organization_id, found.id, key, given, actor=actor()
            )

        record = _with(store, work)
        if as_json:
            print_json(_record(record))
        else:
            console().print(f"Put '{record.key}'.", markup=False)

    @group.command("delete")
    def delete(store: Store, key: Key, as_json: Json = False) -> None:
        """Removes a record."""
        from junctor.app.cli.session import actor

        async def work(core: Any, found: Any) -> int:
            await core.catalog.delete_record(found.organization_id, found.id, key, actor=actor())
            return 1

        _count("Removed", _with(store, work), as_json=as_json)

    @group.command("clear")
    def clear(store: Store, as_json: Json = False) -> None:
        """Removes every record; the store stays."""
        from junctor.app.cli.session import actor

        async def work(core: Any, found: Any) -> Any:
            return await core.catalog.clear_records(found.organization_id, found.id, actor=actor())

        _count("Removed", _with(store, work), as_json=as_json)

    @group.command("export")
    def export(
        store: Store,
        file: Annotated[str, typer.Argument(help="Where to; - for stdout.")] = "-",
        format_: Format = None,
        key: KeyColumn = "key",
    ) -> None:
        """Writes every record: JSON lines lose nothing, a CSV is for spreadsheets."""
        from junctor.app.cli.output import console, target
        from junctor.app.record_files import form_of
        from junctor.app.transfer import export_records

        form = form_of(file, format_)

        async def work(core: Any, found: Any) -> int:
            with target(file) as out:
                return await export_records(core, found, out, form, key=key)

        count = _with(store, work)
        console(stderr=True).print(f"{count} records exported.", markup=False)

    @group.command("import")
    def import_(
        store: Store,
        file: Annotated[str, typer.Argument(help="The file; - for stdin.")],
        format_: Format = None,
        key: KeyColumn = "key",
        as_json: Json = False,
    ) -> None:
        """Adds or replaces the records of a file, all or none: JSON lines, JSON or CSV."""
        from junctor.app.cli.session import actor
        from junctor.app.record_files import form_of
        from junctor.app.transfer import import_records

        form = form_of(file, format_)

        async def work(core: Any, found: Any) -> int:
            with _opened(file) as source:
                return await import_records(core, found, source, form, key=key, actor=actor())

        _count("Imported", _with(store, work), as_json=as_json)

    app.add_typer(group, name="records")


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """A file to read, twice if need be; ``-`` is standard input."""
    import shutil
    import sys
    import tempfile
    from pathlib import Path

    from junctor.errors import Misconfigured

    try:
        if path != "-":
            with Path(path).open("rb") as source:
                yield source
            return
        with tempfile.TemporaryFile() as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.seek(0)
            yield spooled
    except OSError as error:
        raise Misconfigured(f"{path} can't be read: {error.strerror or error}.") from error


def _with(store: str, work: Any) -> Any:
    """Does something with the data store of that name."""
    from junctor.app.cli.session import run_async, session
    from junctor.app.stores import find_store

    async def main() -> Any:
        async with session() as (core, organization_id):
            return await work(core, await find_store(core, organization_id, store))

    return run_async(main())


def _record(found: Any) -> dict[str, Any]:
    from junctor.app.stores import shown

    return {
        "key": found.key,
        "data": shown(found),
        "updated_at": found.updated_at,
        "updated_by": found.updated_by,
    }


def _count(verb: str, count: int, *, as_json: bool) -> None:
    from junctor.app.cli.output import console, print_json

    if as_json:
        print_json({verb.lower(): count})
    else:
        console().print(f"{verb} {count} records.", markup=False)
