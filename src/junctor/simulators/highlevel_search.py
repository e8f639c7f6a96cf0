"""Search in simulated HighLevel contacts: query, filters, sorting, and both ways of paging.

The body of ``POST /contacts/search`` is not in the specification. Known from threads of its
maintainers: ``locationId`` and ``pageLimit`` are required; ``filters`` nest in groups; each record
carries the ``searchAfter`` that continues after it. Assumed: the operators' names and meanings
beyond ``eq`` and ``contains``, and newest first as the default order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import Any

from junctor.simulators import checks
from junctor.simulators.routes import Refused

__all__ = ["SEARCH", "page_of_list", "page_of_search"]

MAX_PAGE = 100
MAX_WINDOW = 10_000
"""``page`` times ``pageLimit`` reaches no further; only ``searchAfter`` does."""

SEARCH: Mapping[str, checks.Check] = {
    "locationId": checks.filled,
    "pageLimit": checks.whole(1, MAX_PAGE),
    "page": checks.whole(1, 10**6),
    "query": checks.nullable(checks.text),
    "filters": checks.objects,
    "sort": checks.objects,
    "searchAfter": lambda value: None if isinstance(value, list) else "must be an array",
}

Row = dict[str, Any]


def page_of_search(rows: Iterable[Row], body: Mapping[str, Any]) -> dict[str, Any]:
    """One page of ``POST /contacts/search``; ``body`` fits `SEARCH`."""
    limit, page = body["pageLimit"], body.get("page", 1)
    if limit * page > MAX_WINDOW:
        raise Refused(422, [f"page times pageLimit must not be greater than {MAX_WINDOW}"])
    order = _order(body.get("sort") or [{"field": "dateAdded", "direction": "desc"}])
    found = [row for row in rows if _found(row, body.get("query"))]
    for rule in body.get("filters", []):
        found = [row for row in found if _fits(row, rule)]
    keyed = [(_after(row, order), row) for row in found]

    def compare(one: tuple[list[Any], Row], other: tuple[list[Any], Row]) -> int:
        return _compare(one[0], other[0], order)

    keyed.sort(key=cmp_to_key(compare))
    total = len(keyed)
    after = body.get("searchAfter")
    if after:
        if len(after) != len(order) + 1:
            raise Refused(422, [f"searchAfter must have {len(order) + 1} values"])
        keyed = [pair for pair in keyed if _compare(pair[0], after, order) > 0][:limit]
    else:
        keyed = keyed[(page - 1) * limit : page * limit]
    return {
        "contacts": [{**row, "searchAfter": place} for place, row in keyed],
        "total": total,
    }


def page_of_list(
    rows: Iterable[Row], query: Mapping[str, str], url: Callable[[dict[str, Any]], str]
) -> dict[str, Any]:
    """One page of ``GET /contacts/``, newest first, with ``meta`` that continues it."""
    text = query.get("limit", "20")
    limit = int(text) if text.isdecimal() else 0
    if not 1 <= limit <= MAX_PAGE:
        raise Refused(422, [f"limit must be a number from 1 to {MAX_PAGE}"])
    found = [row for row in rows if _found(row, query.get("query"))][::-1]
    start = 0
    last = query.get("startAfterId")
    if last:
        places = [index for index, row in enumerate(found) if row["id"] == last]
        if not places:
            raise Refused(422, [f"startAfterId {last} is no contact of this list"])
        start = places[0] + 1
    chosen = found[start : start + limit]
    meta: dict[str, Any] = {"total": len(found), "currentPage": start // limit + 1}
    if start + limit < len(found):
        after = {"startAfter": _milliseconds(chosen[-1]), "startAfterId": chosen[-1]["id"]}
        kept = {key: value for key, value in query.items() if key not in after}
        meta |= after | {
            "nextPage": meta["currentPage"] + 1,
            "nextPageUrl": url({**kept, **after}),
        }
    return {"contacts": chosen, "count": len(found), "meta": meta}


def _milliseconds(row: Row) -> int:
    return round(datetime.fromisoformat(row["dateAdded"]).timestamp() * 1000)


def _found(row: Row, query: str | None) -> bool:
    if not query:
        return True
    wanted = query.lower()
    return any(wanted in str(row.get(key, "")).lower() for key in ("name", "email", "phone"))


def _order(sort: list[Row]) -> list[tuple[str, int]]:
    order = []
    for index, row in enumerate(sort):
        field, direction = row.get("field"), row.get("direction", "desc")
        if not isinstance(field, str) or direction not in {"asc", "desc"}:
            raise Refused(422, [f"sort.{index} must have a field and a direction, asc or desc"])
        order.append((field, 1 if direction == "asc" else -1))
    return order


def _after(row: Row, order: list[tuple[str, int]]) -> list[Any]:
    """Where a record lies in the order; the id breaks ties."""
    values = []
    for field, _ in order:
        value = row.get(field)
        if field in {"dateAdded", "dateUpdated"} and isinstance(value, str):
            value = round(datetime.fromisoformat(value).timestamp() * 1000)
        values.append(value)
    return [*values, row["id"]]


def _compare(left: list[Any], right: list[Any], order: list[tuple[str, int]]) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=True)):
        if one == other:
            continue
        sign = order[index][1] if index < len(order) else 1
        # What is missing comes last, whatever the direction.
        if one is None or other is None:
            return 1 if one is None else -1
        try:
            less = one < other
        except TypeError:
            less = str(one) < str(other)
        return -sign if less else sign
    return 0


def _fits(row: Row, rule: Row) -> bool:
    if "group" in rule:
        inner = rule.get("filters")
        if rule["group"] not in {"AND", "OR"} or not isinstance(inner, list):
            raise Refused(422, ["a group of filters must be AND or OR, with a list of filters"])
        results = [_fits(row, part) for part in inner]
        return all(results) if rule["group"] == "AND" else any(results)
    field, operator, value = rule.get("field"), rule.get("operator"), rule.get("value")
    test = _OPERATORS.get(str(operator))
    if not isinstance(field, str) or test is None:
        known = ", ".join(_OPERATORS)
        raise Refused(422, [f"filters.operator {operator!r} of {field!r} is none of {known}"])
    return test(row.get(field), value)


def _equals(have: Any, want: Any) -> bool:
    if isinstance(have, list):
        wanted = want if isinstance(want, list) else [want]
        return any(_plain(item) in [_plain(w) for w in wanted] for item in have)
    if isinstance(want, list):
        return _plain(have) in [_plain(w) for w in want]
    return bool(_plain(have) == _plain(want))


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _contains(have: Any, want: Any) -> bool:
    if isinstance(have, list):
        return any(_contains(item, want) for item in have)
    return str(want).lower() in str(have or "").lower()


def _in_range(have: Any, want: Any) -> bool:
    if not isinstance(want, dict) or have is None:
        return False
    tests = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    left = _moment(have)
    try:
        return all(tests[key](left, _moment(value)) for key, value in want.items())
    except (KeyError, TypeError) as error:
        raise Refused(422, ["a range must hold gt, gte, lt or lte of the field's type"]) from error


def _moment(value: Any) -> Any:
    """A date as milliseconds; anything else as it is."""
    if isinstance(value, str) and len(value) >= 10 and value[4:5] == "-":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp() * 1000
    return value


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _equals,
    "not_eq": lambda have, want: not _equals(have, want),
    "contains": _contains,
    "not_contains": lambda have, want: not _contains(have, want),
    "exists": lambda have, _: have not in (None, "", []),
    "not_exists": lambda have, _: have in (None, "", []),
    "range": _in_range,
}
