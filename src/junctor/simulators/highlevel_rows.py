"""Rows of a simulated HighLevel location that are made, read, changed and deleted in one way.

A `Kind` says how the vendor's specification words one resource: its path, the keys of its answers,
and the fields of its bodies in short: ``name*`` is needed, ``amount#`` a number, ``active?`` yes or
no, ``tags[]`` a list of texts, ``rows{}`` anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from junctor.simulators import checks
from junctor.simulators.checks import Check
from junctor.simulators.people import text_id
from junctor.simulators.routes import Refused

__all__ = ["KINDS", "Kind", "Rows", "after", "page", "shape", "whole"]

Row = dict[str, Any]


def shape(fields: str) -> tuple[dict[str, Check], tuple[str, ...]]:
    """Checks by field, and the fields that are needed."""
    made: dict[str, Check] = {}
    needed = []
    for word in fields.split():
        name = word.rstrip("*#?[]{}")
        marks = word[len(name) :]
        if "*" in marks:
            needed.append(name)
        check: Check = checks.text
        if "#" in marks:
            check = _number
        elif "?" in marks:
            check = checks.boolean
        elif "[]" in marks:
            check = checks.texts
        elif "{}" in marks:
            check = _anything
        made[name] = checks.nullable(check)
    return made, tuple(needed)


@checks.taking(type="number")
def _number(value: Any) -> str | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return None if fits else "must be a number conforming to the specified constraints"


def _anything(_value: Any) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One resource of a location."""

    path: str
    """Of the collection; ``{locationId}`` may be in it."""
    many: str
    """Key of a list."""
    one: str = ""
    """Key of one row; empty: the row is the answer."""
    fields: str
    word: str
    """What a message calls it."""
    seeds: tuple[Row, ...] = ()
    also: Row = field(default_factory=dict)
    """What an answer to a change holds beside the row."""
    written: str = ""
    """Key of the row in answers to changes, where it is another."""
    events: str = ""
    """What its events begin with."""
    dated: bool = False
    """Whether rows say when they were made and changed."""
    empty: Row = field(default_factory=dict)
    """What a row has that nobody filled in."""
    changed: int = 200
    """The status of a change or deletion."""
    lists: bool = True
    created: int = 201
    changes: bool = True


KINDS: tuple[Kind, ...] = (
    Kind(
        path="/businesses/",
        many="businesses",
        one="business",
        written="buiseness",
        also={"success": True},
        dated=True,
        word="Business",
        fields="locationId name* phone email website address city postalCode state country "
        "description",
        seeds=({"name": "Example Plumbing", "country": "US"},),
    ),
    Kind(
        path="/links/",
        many="links",
        one="link",
        word="Link",
        fields="locationId name* redirectTo*",
        changed=201,
        seeds=({"name": "Booking", "redirectTo": "https://example.com/book"},),
    ),
    Kind(
        path="/calendars/groups",
        many="groups",
        one="group",
        word="Group",
        fields="locationId name* description* slug* isActive?",
        seeds=({"name": "Sales", "description": "Sales team", "slug": "sales", "isActive": True},),
    ),
    Kind(
        path="/locations/{locationId}/customValues",
        many="customValues",
        one="customValue",
        word="Custom value",
        fields="name* value*",
        seeds=({"name": "Greeting", "value": "Hello"},),
    ),
    Kind(
        path="/locations/{locationId}/recurring-tasks",
        many="recurringTasks",
        one="recurringTask",
        word="Recurring task",
        fields="title* description contactIds[] owners[] rruleOptions{}* ignoreTaskCreation?",
        empty={"description": "", "totalOccurrence": 0, "deleted": False},
        dated=True,
        lists=False,
    ),
    Kind(
        path="/users/",
        many="users",
        word="User",
        events="User",
        lists=False,
        fields="companyId email* password* phone type* role* locationIds[]* permissions{} scopes[] "
        "scopesAssignedToOnly[] profilePhoto twilioPhone{} platformLanguage firstName* lastName*",
    ),
    Kind(
        path="/campaigns/",
        many="campaigns",
        word="Campaign",
        fields="name",
        changes=False,
        seeds=({"name": "Welcome", "status": "published"},),
    ),
    Kind(
        path="/workflows/",
        many="workflows",
        word="Workflow",
        fields="name",
        changes=False,
        seeds=({"name": "Missed call", "status": "published", "version": 1},),
    ),
    Kind(
        path="/forms/",
        many="forms",
        word="Form",
        fields="name",
        changes=False,
        seeds=({"name": "Contact us"},),
    ),
    Kind(
        path="/surveys/",
        many="surveys",
        word="Survey",
        fields="name",
        changes=False,
        seeds=({"name": "How was it?"},),
    ),
    Kind(
        path="/opportunities/lost-reason",
        many="lostReasons",
        word="Lost reason",
        fields="name",
        changes=False,
        seeds=({"name": "Too expensive"},),
    ),
)


class Rows:
    """Rows of one kind, in the order in which they were made."""

    def __init__(
        self, word: str, chance: random.Random, seeds: Iterable[Row] = (), **more: Any
    ) -> None:
        self.word = word
        self._chance = chance
        self.rows: dict[str, Row] = {}
        for seed in seeds:
            self.add({**more, **seed})

    def add(self, values: Mapping[str, Any]) -> Row:
        """A new row."""
        row = {"id": text_id(self._chance), **values}
        self.rows[row["id"]] = row
        return row

    def get(self, row_id: str) -> Row:
        """A row; `Refused` 404 if there is none."""
        row = self.rows.get(row_id)
        if row is None:
            raise Refused(404, f"{self.word} not found: {row_id}")
        return row

    def remove(self, row_id: str) -> Row:
        """Removes a row and gives it."""
        row = self.get(row_id)
        del self.rows[row_id]
        return row


def page(rows: list[Row], query: Mapping[str, str], *, most: int = 100) -> list[Row]:
    """What ``limit`` with ``skip``, ``offset`` or ``page`` (from 1) asks for."""
    limit = whole(query.get("limit", "20"), "limit", 1, most)
    start = whole(query.get("skip") or query.get("offset") or "0", "skip", 0, 10**9)
    if query.get("page"):
        start = (whole(query["page"], "page", 1, 10**9) - 1) * limit
    return rows[start : start + limit]


def after(rows: Iterable[Row], row_id: str, name: str) -> int:
    """How many rows end with this one; `Refused` 422 if it is none of them."""
    for index, row in enumerate(rows):
        if row["id"] == row_id:
            return index + 1
    raise Refused(422, [f"{name} {row_id} is not in this list"])


def whole(text: str, name: str, low: int, high: int) -> int:
    """A whole number in a range; `Refused` 422."""
    value = int(text) if text.isdecimal() else low - 1
    if not low <= value <= high:
        raise Refused(422, [f"{name} must be a number from {low} to {high}"])
    return value
