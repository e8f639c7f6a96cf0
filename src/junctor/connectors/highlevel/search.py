"""Finding contacts: by text and conditions, page after page."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.highlevel import lists
from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.errors import DataError
from junctor.language.connector import Bundle, Field, Flow, Request, Response

__all__ = ["PAGE", "list_contacts", "newest_contacts", "pages", "search_contacts"]

PAGE = 100
"""Contacts of one page of a search; the vendor's most."""


class Condition(TypedDict, total=False):
    """One condition of a search; `operator` as the vendor names it."""

    field: Annotated[str, Field(label="Field", example="email")]
    operator: Annotated[
        Literal["eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range"],
        Field(label="Operator"),
    ]
    value: Annotated[Any, Field(label="Value")]


class Order(TypedDict, total=False):
    """What to sort by."""

    field: Annotated[str, Field(label="Field", example="dateAdded")]
    direction: Annotated[Literal["asc", "desc"], Field(label="Direction")]


@highlevel.search("Search contacts", limit_field="limit")
def search_contacts(
    query: Annotated[str, Field(label="Search for", help="In name, e-mail and phone.")] = "",
    filters: Annotated[list[Condition], Field(label="Filters", help="All of them must hold.")] = [],  # noqa: B006  # a form's default; `bind` copies it
    sort: Annotated[list[Order], Field(label="Sort by", advanced=True)] = [],  # noqa: B006  # as above
    limit: lists.Limit = 100,
    location_id: lists.LocationId = "",
) -> Flow:
    """Finds contacts by text and by conditions on their fields, newest first unless sorted."""
    rules = []
    for rule in filters:
        if rule.get("field"):
            value = {"value": rule["value"]} if rule.get("value") not in (None, "") else {}
            rules.append({"field": rule["field"], "operator": rule.get("operator", "eq"), **value})
    order = [
        {"field": row["field"], "direction": row.get("direction", "desc")}
        for row in sort
        if row.get("field")
    ]
    given = {"query": query, "filters": rules, "sort": order}
    return (
        yield from pages({key: value for key, value in given.items() if value}, limit, location_id)
    )


def pages(
    body: dict[str, Any],
    limit: int,
    location_id: str = "",
    *,
    enough: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Generator[Request, Response, list[Bundle]]:
    """Pages of ``POST /contacts/search``: each goes on after the last contact of the one before.

    ``enough``: whether no page is needed after one that ends with this contact.
    """
    found: list[dict[str, Any]] = []
    after: Any = None
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        place = {"searchAfter": after} if after else {"page": 1}
        answer = yield Request(
            "POST",
            "/contacts/search",
            headers={"Version": V3},
            json={
                "locationId": location_id or LOCATION,
                "pageLimit": size,
                **place,
                **body,
            },
        )
        content = answer.json()
        rows = content.get("contacts") or []
        found += [_named(row) for row in rows]
        # Clients have found it with each contact; one description says, with the whole page.
        meta = content.get("meta") or {}
        last = (rows[-1].get("searchAfter") if rows else None) or meta.get("searchAfter")
        if len(rows) < size or not last or (enough is not None and enough(rows[-1])):
            break
        if last == after:
            raise DataError(reason=f"HighLevel's next page repeats: {str(after)[:80]}")
        after = last
    return found[:limit]


@highlevel.search("List contacts (deprecated)", limit_field="limit")
def list_contacts(
    query: Annotated[str, Field(label="Search for")] = "",
    limit: lists.Limit = 100,
    start_after: Annotated[
        str, Field(label="Start after", help="Milliseconds.", key="startAfter", advanced=True)
    ] = "",
    start_after_id: Annotated[
        str, Field(label="Start after contact", key="startAfterId", advanced=True)
    ] = "",
    location_id: lists.LocationId = "",
) -> Flow:
    """Lists contacts, newest first.

    HighLevel has deprecated this operation and dropped it from version 3; *Search contacts* does
    the same and more.
    """
    found: list[dict[str, Any]] = []
    given = {"query": query, "startAfter": start_after, "startAfterId": start_after_id}
    place: dict[str, Any] = {key: value for key, value in given.items() if value}
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        answer = yield Request(
            "GET",
            "/contacts/",
            query={"locationId": location_id or LOCATION, "limit": size, **place},
            headers={"Version": "2021-07-28"},
        )
        content = answer.json()
        rows = content.get("contacts") or []
        found += rows
        meta = content.get("meta") or {}
        after = {key: meta[key] for key in ("startAfter", "startAfterId") if meta.get(key)}
        if len(rows) < size or len(after) < 2:
            break
        if after["startAfterId"] == place.get("startAfterId"):
            raise DataError(reason=f"HighLevel's next page repeats: {after['startAfterId']}")
        place.update(after)
    return found[:limit]


def newest_contacts(date: str, limit: int) -> Flow:
    """Contacts by a date of theirs, newest first."""
    return (yield from pages({"sort": [{"field": date, "direction": "desc"}]}, limit))


def _named(row: dict[str, Any]) -> dict[str, Any]:
    # A search names a contact otherwise than the other operations do.
    name = row.get("name") or row.get("contactName")
    parts = (row.get("firstName"), row.get("lastName"))
    name = name or " ".join(part for part in parts if part) or row.get("email") or row.get("phone")
    return {**{key: value for key, value in row.items() if key != "searchAfter"}, "name": name}
