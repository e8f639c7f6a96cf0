"""Data stores: records kept between runs.

Names and fields are those of Make's blueprints (``datastore:``). Which store a module works on is
bound to it on import; the functions ask Junctor for its records and decide what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from junctor.errors import BundleInvalid, DataError, DuplicateData
from junctor.language.asks.records import (
    ClearRecords,
    CountRecords,
    FindRecords,
    ReadRecord,
    WriteRecord,
)
from junctor.language.connector import Asks, Bundle, Connector, Field
from junctor.language.filters import operator_named
from junctor.language.records import merged
from junctor.language.values import ERASE, IGNORE, as_number, show, to_boolean, to_text

__all__ = ["datastore"]

datastore = Connector(name="datastore", label="Data store")

_Store = Annotated[
    Any,
    Field(
        label="Data store",
        key="datastore",
        help="Bound when the blueprint is imported.",
        static=True,
    ),
]
_Key = Annotated[str, Field(label="Key", example="c-1")]
_Record = Annotated[dict[str, Any], Field(label="Record", key="data", example={"name": "Ada"})]


@datastore.action(
    "Add or replace a record",
    name="AddRecord",
    effect="idempotent",
    transactional=True,
    aliases=("datastore:ActionAddRecord",),
)
def add_record(
    data: _Record = {},  # noqa: B006  # a form's default
    key: Annotated[str, Field(label="Key", help="Left blank, one is made.")] = "",
    overwrite: Annotated[bool, Field(label="Overwrite an existing record")] = False,
    store: _Store = None,
) -> Asks:
    """Puts a record into a data store and gives its key.

    If there is one with that key, it is replaced, or the module fails with a *DuplicateDataError*.
    """
    del store
    if key and not overwrite and (yield ReadRecord(key)) is not None:
        raise DuplicateData(key=key)
    return {"key": (yield WriteRecord(key, data))}


@datastore.action("Update a record", name="UpdateRecord", effect="idempotent", transactional=True)
def update_record(
    key: _Key,
    data: _Record = {},  # noqa: B006  # a form's default
    upsert: Annotated[bool, Field(label="Insert a missing record")] = False,
    overwrite_arrays: Annotated[
        bool,
        Field(
            label="Overwrite an existing array in the record",
            key="overwriteArrays",
            help="Otherwise the items are added to it.",
        ),
    ] = False,
    store: _Store = None,
) -> Asks:
    """Changes the fields of a record that are given and gives its key.

    Blank fields stay as they are; ``erase`` empties one. Collections are merged. A record that is
    missing is made, or the module fails.
    """
    del store
    found = yield ReadRecord(key)
    if found is None and not upsert:
        raise DataError(
            reason=f"there is no record '{key}'; switch 'Insert a missing record' on, "
            "or give the key of one that is there"
        )
    made = merged(found or {}, data, overwrite_arrays=overwrite_arrays)
    return {"key": (yield WriteRecord(key, made, kept=frozenset(found or ())))}


@datastore.action("Get a record", name="GetRecord", effect="read")
def get_record(
    key: _Key,
    wrapped: Annotated[
        bool,
        Field(
            label="Return wrapped output",
            key="returnWrapped",
            help="Key and data apart, as a search gives them.",
        ),
    ] = False,
    store: _Store = None,
) -> Asks:
    """Gives the fields of a record; an empty bundle if there is none."""
    del store
    found = yield ReadRecord(key)
    if found is None:
        return {}
    return {"key": key, "data": found} if wrapped else found


@datastore.action("Check the existence of a record", name="ExistRecord", effect="read")
def exist_record(
    key: _Key,
    store: _Store = None,
) -> Asks:
    """Says in ``exist`` whether there is a record with that key."""
    del store
    return {"exist": (yield ReadRecord(key)) is not None}


@datastore.action("Delete a record", name="DeleteRecord", effect="idempotent", transactional=True)
def delete_record(
    key: _Key,
    store: _Store = None,
) -> Asks:
    """Removes a record. Says in ``deleted`` whether there was one."""
    del store
    if (yield ReadRecord(key)) is None:
        return {"key": key, "deleted": False}
    yield WriteRecord(key, None)
    return {"key": key, "deleted": True}


@datastore.action(
    "Delete all records", name="DeleteAllRecords", effect="idempotent", transactional=True
)
def delete_all_records(
    store: _Store = None,
) -> Asks:
    """Removes every record. Says in ``count`` how many there were."""
    del store
    return {"count": (yield ClearRecords())}


@datastore.action("Count records", name="CountRecords", effect="read")
def count_records(
    store: _Store = None,
) -> Asks:
    """Says in ``count`` how many records there are."""
    del store
    return {"count": (yield CountRecords())}


@datastore.search("Search records", name="SearchRecord", aliases=("datastore:ActionSearchRecords",))
def search_records(
    conditions: Annotated[
        list[Any],
        Field(
            label="Filter",
            key="filter",
            help="Any group of all its conditions.",
            example=[[{"a": "status", "o": "text:equal", "b": "active"}]],
        ),
    ] = [],  # noqa: B006  # a form's default
    sort: Annotated[
        list[Any],
        Field(
            label="Sort",
            help="Fields, each with 1 (ascending) or -1.",
            example=[{"key": "name", "order": 1}],
        ),
    ] = [],  # noqa: B006  # a form's default
    mapped_limit: Annotated[
        int | None,
        Field(label="Mappable limit", key="mappAbleLimit", help="Before the other.", minimum=0),
    ] = None,
    limit: Annotated[
        int | None, Field(label="Limit", help="Blank or 0: all.", minimum=0, static=True)
    ] = None,
    go_on: Annotated[
        bool,
        Field(
            label="Go on if nothing is found",
            key="continueWhenNoRes",
            help="With an empty bundle.",
            static=True,
        ),
    ] = False,
    store: _Store = None,
) -> Asks:
    """Gives the records that match, with their ``key`` and ``data``."""
    del store, go_on  # the engine goes on
    most = limit if mapped_limit is None else mapped_limit
    found: list[Bundle] = yield FindRecords(
        conditions=_conditions(conditions),
        sort=tuple(_sorted_by(row, place) for place, row in enumerate(sort, 1)),
        limit=most or None,
    )
    return found


def _conditions(given: list[Any]) -> tuple[tuple[tuple[str, str, Any], ...], ...]:
    """Groups of conditions; a single group may stand without its list."""
    groups = [given] if given and all(isinstance(each, Mapping) for each in given) else given
    made = []
    for number, group in enumerate(groups, 1):
        if not isinstance(group, list):
            raise BundleInvalid(
                field=f"filter[{number}]",
                reason=f"{show(group)} is no group of conditions; give [[{{a, o, b}}]]",
            )
        made.append(
            tuple(
                _condition(each, f"filter[{number}][{place}]")
                for place, each in enumerate(group, 1)
            )
        )
    return tuple(group for group in made if group)


def _condition(given: Any, field: str) -> tuple[str, str, Any]:
    if not isinstance(given, Mapping):
        raise BundleInvalid(
            field=field, reason=f"{show(given)} is no condition; give a field, an operator, a value"
        )
    path = to_text(given.get("a")).strip()
    if not path:
        raise BundleInvalid(field=f"{field}.a", reason="the condition names no field; choose one")
    wanted = given.get("b")
    plain = None if wanted is IGNORE or wanted is ERASE else wanted
    return path, operator_named(to_text(given.get("o"))).name, plain


def _sorted_by(row: Any, place: int) -> tuple[str, bool]:
    """A field and whether it ascends; 1, -1, asc, desc, true and false are understood."""
    if not isinstance(row, Mapping) or not to_text(row.get("key")).strip():
        raise BundleInvalid(
            field=f"sort[{place}]", reason=f"{show(row)} names no field; give key and order"
        )
    order = row.get("order", 1)
    number = as_number(order)
    if number is not None:
        return to_text(row["key"]).strip(), number >= 0
    descends = isinstance(order, str) and order.strip().lower().startswith("desc")
    ascends = not descends and (order in {None, ""} or to_boolean(order))
    return to_text(row["key"]).strip(), ascends
