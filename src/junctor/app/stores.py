"""Records of data stores for the API and the commands: what goes in fits the store's structure.

Data comes in as JSON. A date may be written as ISO text where the structure says so, or anywhere as
``{"$date": …}``; bytes as ``{"$buffer": base64}`` (see `language.records`). Shown, a record has
plain JSON (dates as text, bytes as base64); exported, it is as stored and loses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from junctor.app.core import Core
from junctor.errors import BundleInvalid, Misconfigured, NotFound
from junctor.language import ids
from junctor.language.records import checked_key, fitting, restored, sized, stored
from junctor.language.structures import MAX_DEPTH, fields
from junctor.language.values import plain
from junctor.ports.catalog import DataRecord, DataStore, DataStructure, Page

__all__ = [
    "Rules",
    "all_of",
    "checked_spec",
    "find_store",
    "find_structure",
    "put_record",
    "rules_of",
    "shown",
]

T = TypeVar("T", DataStore, DataStructure)


@dataclass(frozen=True, slots=True)
class Rules:
    """What records of one store must be."""

    structure: DataStructure | None
    zone: ZoneInfo

    def admit(self, key: str, data: Any) -> tuple[str, dict[str, Any]]:
        """A record as stored; what the structure or the database's limits refuse is raised."""
        if not isinstance(data, dict):
            raise BundleInvalid(field=key or "data", reason="a record is an object of fields")
        if not key:
            raise BundleInvalid(field="key", reason="a record needs a key; give one")
        key = checked_key(key)
        spec: Sequence[Mapping[str, Any]] = ()
        strict = False
        if self.structure is not None:
            spec, strict = self.structure.spec, self.structure.strict
        values = restored(data)
        if not isinstance(values, dict):  # a record is none of the values with a type of their own
            values = dict(data)
        made = stored(fitting(values, spec, strict, zone=self.zone))
        sized(key, made)
        return key, made


async def rules_of(core: Core, store: DataStore) -> Rules:
    """A store's structure, and the zone in which its dates are read."""
    organization = await core.catalog.organization(store.organization_id)
    structure = None
    if store.structure_id is not None:
        structure = await core.catalog.structure(store.organization_id, store.structure_id)
    return Rules(structure, ZoneInfo(organization.zone))


async def put_record(
    core: Core, organization_id: UUID, store_id: UUID, key: str, data: Any, *, actor: str
) -> DataRecord:
    """Adds or replaces one record."""
    rules = await rules_of(core, await core.catalog.store(organization_id, store_id))
    key, made = rules.admit(key, data)
    await core.services.tools.room.check(organization_id, store_id, key)
    return await core.catalog.put_record(organization_id, store_id, key, made, actor=actor)


def shown(record: DataRecord) -> dict[str, Any]:
    """A record's data as plain JSON."""
    data: dict[str, Any] = plain(restored(dict(record.data)))
    return data


def checked_spec(spec: Any) -> list[dict[str, Any]]:
    """A structure's fields, each with a name of its own; `Misconfigured` with the path."""
    _check(spec, "spec", 0)
    return [dict(field) for field in spec]


def _check(spec: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Misconfigured(f"{path} is nested deeper than {MAX_DEPTH} levels.", path=path)
    if not isinstance(spec, list):
        raise Misconfigured(f"{path} must be a list of fields.", path=path)
    seen: set[str] = set()
    for place, field in enumerate(spec):
        at = f"{path}[{place}]"
        if not isinstance(field, dict):
            raise Misconfigured(f"{at} must be an object with name and type.", path=at)
        name = field.get("name")
        if not fields([field]):
            if not name:
                raise Misconfigured(f"{at} has no name; give it one.", path=f"{at}.name")
            continue
        if not isinstance(name, str) or name in seen:
            raise Misconfigured(f"{at}: the name {name!r} must be a text of its own.", path=at)
        seen.add(name)
        inner = field.get("spec")
        if isinstance(inner, dict):
            inner = inner.get("spec")
        if inner is not None:
            _check(inner, f"{at}.spec", depth + 1)


async def all_of(page: Callable[[str | None], Awaitable[Page[Any]]]) -> AsyncIterator[Any]:
    """Every item of a list that comes in pages."""
    cursor: str | None = None
    while True:
        found = await page(cursor)
        for item in found.items:
            yield item
        cursor = found.cursor
        if cursor is None:
            return


async def find_store(core: Core, organization_id: UUID, text: str) -> DataStore:
    """The data store with that id or name; `NotFound` says which there are."""

    def page(cursor: str | None) -> Awaitable[Page[DataStore]]:
        return core.catalog.stores(organization_id, cursor=cursor, limit=200)

    found: list[DataStore] = [each async for each in all_of(page)]
    return _one("dst", text, found)


async def find_structure(core: Core, organization_id: UUID, text: str) -> DataStructure:
    """The data structure with that id or name; `NotFound` says which there are."""

    def page(cursor: str | None) -> Awaitable[Page[DataStructure]]:
        return core.catalog.structures(organization_id, cursor=cursor, limit=200)

    found: list[DataStructure] = [each async for each in all_of(page)]
    return _one("str", text, found)


def _one(prefix: str, text: str, among: Sequence[T]) -> T:
    what = ids.PREFIXES[prefix]
    found = [each for each in among if ids.show(prefix, each.id) == text]
    found = found or [each for each in among if each.name == text]
    if len(found) > 1:
        shown = ", ".join(ids.show(prefix, each.id) for each in found)
        raise Misconfigured(f"There are several {what}s called '{text}': say which, {shown}.")
    if not found:
        names = ", ".join(f"'{each.name}'" for each in among[:20]) or "none"
        raise NotFound(f"There is no {what} called '{text}'. There are: {names}.")
    return found[0]
