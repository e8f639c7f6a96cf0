"""How HighLevel's operations become modules: one row of facts each, with labels and help of ours.

A row names the method and the path as the vendor's specification does; its fields go where they
belong: those that the path names into the path, those of a GET into the query, all others into the
body. What is left empty isn't sent; ``erase`` is sent as null. The location is the connection's
unless the module's *Location ID* says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.errors import BundleInvalid
from junctor.language.calls import effect_of_method
from junctor.language.connector import Effect, Field, Paging, Probe, Request, path
from junctor.language.signatures import REQUIRED, Argument, Described

__all__ = [
    "LIMIT",
    "MADE",
    "In",
    "LocationId",
    "address",
    "custom_fields",
    "field",
    "flag",
    "iso",
    "limit_of",
    "location",
    "millis",
    "moment",
    "need",
    "number",
    "operation",
    "seconds",
    "texts",
]

Place = Literal["path", "query", "body"]

MADE: set[tuple[str, str]] = set()
"""Method and path of the operations that modules are made of by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class In:
    """One field of a module: the vendor's name, its type with label, and how it is sent."""

    key: str
    hint: Any
    required: bool = False
    sent: Callable[[Any], Any] | None = None
    """What a value becomes on its way out."""
    at: Place | None = None
    """Where it goes, if not where all of its operation do."""
    default: Any = ""


def field(
    key: str,
    label: str,
    hint: Any = str,
    *,
    at: Place | None = None,
    default: Any = "",
    **more: Any,
) -> In:
    """A field that may be left empty."""
    kind: Any = hint if hint is Any else hint | None
    made: Any = Annotated[kind, Field(label=label, key=key, **more)]
    return In(key=key, hint=made, at=at, default=default)


def need(key: str, label: str, hint: Any = str, *, at: Place | None = None, **more: Any) -> In:
    """A field that must be filled in."""
    return In(
        key=key, hint=Annotated[hint, Field(label=label, key=key, **more)], required=True, at=at
    )


def flag(key: str, label: str, **more: Any) -> In:
    """Yes, no, or not said."""
    return field(key, label, bool, default=None, **more)


def number(key: str, label: str, **more: Any) -> In:
    """A number that may be left empty."""
    return field(key, label, float, **more)


def texts(key: str, label: str, *, required: bool = False, **more: Any) -> In:
    """A list of texts."""
    return (need if required else field)(key, label, list[str], **more)


def moment(
    key: str,
    label: str,
    *,
    required: bool = False,
    sent: Callable[[datetime], Any] | None = None,
    **more: Any,
) -> In:
    """A date and time; sent as ISO 8601 in UTC unless ``sent`` says otherwise."""
    made = (need if required else field)(key, label, datetime, **more)
    return In(
        key=key,
        hint=made.hint,
        required=required,
        at=made.at,
        sent=lambda value: (sent or iso)(value) if isinstance(value, datetime) else value,
    )


def iso(date: datetime) -> str:
    """As HighLevel writes dates: UTC, milliseconds, ``Z``."""
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(date: datetime) -> int:
    """Milliseconds since 1970, as calendars and conversations ask for."""
    return round(date.timestamp() * 1000)


def seconds(date: datetime) -> int:
    """Seconds since 1970, as the time of a scheduled message."""
    return round(date.timestamp())


def custom_fields(value: Any) -> Any:
    """Rows of custom fields without those that name none."""
    if not isinstance(value, list):
        return value
    return [row for row in value if row.get("id") or row.get("key")]


LIMIT = "limit"


def limit_of(default: int = 100, most: int | None = None) -> In:
    """The most bundles of a search."""
    made = Annotated[
        int, Field(label="Limit", help="The most results.", minimum=1, maximum=most, key=LIMIT)
    ]
    return In(key=LIMIT, hint=made, default=default)


_PARAMETER = re.compile(r"\{([^{}]+)\}")


def address(template: str, values: Mapping[str, Any]) -> str:
    """A path with its parameters filled in and quoted. The location's is put in when the request
    is signed. `errors.DataError` on an empty one.
    """
    out = ""
    for part in template.strip("/").split("/"):
        match = _PARAMETER.fullmatch(part)
        value = values.get(match[1]) if match else None
        if match is None or value == LOCATION:
            out += f"/{LOCATION if match else part}"
        else:
            out += path(value)
    return out + ("/" if template.endswith("/") else "")


def operation(  # the columns of a table
    label: str,
    method: str,
    template: str,
    help: str,  # noqa: A002  # as `Field.help`
    *fields: In,
    name: str,
    items: str | None = None,
    effect: Effect | None = None,
    effect_of: Callable[[Mapping[str, Any]], Effect] | None = None,
    search: bool = False,
    location: Place | None = None,
    at: Place | None = None,
    paging: Paging | None = None,
    version: str = V3,
    always: Mapping[str, Any] | None = None,
    one_of: Iterable[str] = (),
    raw: bool = False,
    probe: Probe | None = None,
) -> Callable[..., Any]:
    """Registers a module of one request and gives its function, which `Field.options` may name.

    ``location``: where the location's ID goes. ``at``: where fields go that say nothing themselves.
    ``always``: what every body holds. ``one_of``: fields of which one must be filled in. ``raw``:
    the body is the value of its only field. ``probe``: how an effect of kind *once* is looked for.
    """
    inside = set(_PARAMETER.findall(template))
    usual: Place = at or ("query" if method in {"GET", "DELETE"} else "body")
    where = None if location is None else _WHERE
    rows = [*fields, *(() if where is None else (where,))]
    places: dict[str, Place] = {
        row.key: "path"
        if row.key in inside
        else (location or usual)
        if row is where
        else row.at or usual
        for row in rows
    }
    limited = any(row.key == LIMIT for row in rows) and search

    def function(**given: Any) -> Request:
        values: dict[Place, dict[str, Any]] = {"path": {}, "query": {}, "body": dict(always or {})}
        for row in rows:
            if limited and row.key == LIMIT and paging is not None:
                continue
            value = given.get(_python(row.key), row.default)
            if row is where:
                value = value or LOCATION
            if row.sent is not None:
                value = row.sent(value)
            place = places[row.key]
            if value in ("", []) or (value is None and (place != "body" or _unsaid(row))):
                continue
            values[place][row.key] = value
        wanted = tuple(one_of)
        if wanted and not any(values[places[key]].get(key) for key in wanted):
            shown = " and ".join(wanted)
            reason = f"nothing is given in {shown}; fill in {'one of them' if wanted[1:] else 'it'}"
            raise BundleInvalid(field=wanted[0], reason=reason)
        body: Any = values["body"]
        if raw:
            body = next(iter(body.values()), None)
        sends = method in {"POST", "PUT", "PATCH"} or bool(body)
        return Request(
            method,
            address(template, values["path"]),
            query={key: _text(value) for key, value in values["query"].items()},
            headers={"Version": version} if version else {},
            json=body if sends else None,
        )

    def arguments() -> list[Argument]:
        made = [
            Argument(_python(row.key), row.hint, REQUIRED if row.required else row.default)
            for row in rows
        ]
        return sorted(made, key=lambda argument: not argument.required)

    MADE.add((method, template))
    more: dict[str, Any] = {"name": name, "items": items}
    if search:
        registered = highlevel.search(
            label, paging=paging, limit_field=LIMIT if limited else None, **more
        )
    else:
        known = effect or effect_of_method(method)
        registered = highlevel.action(label, effect=known, effect_of=effect_of, probe=probe, **more)
    made: Callable[..., Any] = Described(function, arguments, name=name, doc=help)
    return registered(made)


def _unsaid(row: In) -> bool:
    # A flag's default is None, which is not an erased one.
    return row.default is None


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _python(key: str) -> str:
    made = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), key).lower()
    return f"{made}_" if made in {"from", "type", "id"} else made


location = operation(
    "List locations",
    "GET",
    "/locations/search",
    "Lists the sub-accounts that the connection may see; the source of pick-lists.",
    field("companyId", "Agency (company) ID", advanced=True),
    field("email", "E-mail", format="email"),
    limit_of(),
    name="listLocations",
    items="locations",
    search=True,
    paging=Paging(style="skip", param="skip"),
)
"""Registered here, since all forms with a location name it."""
LocationId = Annotated[
    str,
    Field(
        label="Location ID",
        help="Empty: the connection's own.",
        key="locationId",
        advanced=True,
        options=location,
    ),
]
_WHERE = In(
    key="locationId",
    hint=LocationId,
)
