"""Whole data stores, to and from files."""

from __future__ import annotations

import csv
from typing import BinaryIO, TextIO

from junctor.app.core import Core
from junctor.app.record_files import Form, lines_of, rows_in, table_of
from junctor.app.stores import all_of, rules_of
from junctor.errors import JunctorError, Misconfigured
from junctor.language.records import restored
from junctor.language.structures import fields
from junctor.ports.catalog import DataRecord, DataStore, Json, Page

__all__ = ["export_records", "import_records"]

BATCH = 500
"""Records written in one transaction."""
BATCH_BYTES = 8 * 1024 * 1024


async def import_records(
    core: Core, store: DataStore, file: BinaryIO, form: Form, *, key: str, actor: str
) -> int:
    """Adds or replaces the records of a file; how many it held.

    Everything is checked before anything is written, so a wrong line leaves the store as it was.
    ``file`` is read twice: it must be seekable.
    """
    rules = await rules_of(core, store)
    spec = rules.structure.spec if rules.structure is not None else ()
    for row in rows_in(file, form, key=key, spec=spec):
        try:
            own, _ = rules.admit(row.key, row.data)
            await core.services.tools.room.check(store.organization_id, store.id, own)
        except JunctorError as error:
            raise Misconfigured(f"{row.where}: {error.message}", path=row.where) from error
    file.seek(0)
    batch: dict[str, Json] = {}
    count = size = 0

    async def send() -> None:
        nonlocal batch, size
        if batch:
            await core.catalog.put_records(store.organization_id, store.id, batch, actor=actor)
        batch, size = {}, 0

    for row in rows_in(file, form, key=key, spec=spec):
        own, data = rules.admit(row.key, row.data)
        batch[own] = data
        count += 1
        size += len(str(data))
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            await send()
    await send()
    return count


async def export_records(
    core: Core, store: DataStore, out: TextIO, form: Form, *, key: str = "key"
) -> int:
    """Writes every record; how many there were. A CSV needs two passes: one for its columns."""
    if form == "json":
        raise Misconfigured("Records are exported as jsonl or csv.", path="--format")

    async def page(cursor: str | None) -> Page[DataRecord]:
        return await core.catalog.records(
            store.organization_id, store.id, cursor=cursor, limit=BATCH
        )

    names: dict[str, None] = {}
    if form == "csv":
        rules = await rules_of(core, store)
        spec = rules.structure.spec if rules.structure is not None else ()
        names = dict.fromkeys(str(field["name"]) for field in fields(spec))
        async for record in all_of(page):
            names.update(dict.fromkeys(restored(dict(record.data))))
        if key in names:
            raise Misconfigured(
                f"A field is called '{key}': name the key's column otherwise with --key."
            )
        csv.writer(out).writerow([key, *names])
    count = 0
    async for record in all_of(page):
        rows = [(record.key, record.data)]
        if form == "csv":
            table_of(out, key, list(names), rows)
        else:
            out.writelines(line.decode() for line in lines_of(rows))
        count += 1
    return count
