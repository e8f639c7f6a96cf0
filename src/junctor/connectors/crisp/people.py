"""People profiles: who writes to the website, where they work, what is known of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.crisp.account import below, crisp
from junctor.connectors.crisp.assumptions import PAGE, SHORT_PAGE
from junctor.connectors.crisp.conversations import SearchFilter
from junctor.connectors.crisp.dates import iso, milliseconds
from junctor.connectors.crisp.probes import EVENT_ADDED, PROFILE_ADDED
from junctor.connectors.crisp.website import PAGES, Limit, Website
from junctor.errors import BundleInvalid
from junctor.language.connector import Field, Request
from junctor.language.signatures import Argument, Described

__all__ = ["FIELDS", "Person", "profile_of"]


@crisp.search("List people segments", items="data", paging=PAGES, limit_field="limit")
def list_people_segments(limit: Limit = 100, website_id: Website = "") -> Request:
    """Gives the segments in use, and how many people are in each."""
    del limit
    return Request("GET", f"{below(website_id, 'people', 'suggest', 'segments')}/{{page}}")


@crisp.search("List people profiles", items="data", paging=PAGES, limit_field="limit")
def list_people_profiles(
    sort_order: Annotated[Literal["", "ascending", "descending"], Field(label="Sort order")] = "",
    sort_field: Annotated[str, Field(label="Sort field", example="updated_at", advanced=True)] = "",
    search_text: Annotated[
        str, Field(label="Search text", help="A name, an e-mail address or another word.")
    ] = "",
    search_filters: Annotated[list[SearchFilter], Field(label="Conditions", advanced=True)] = [],  # noqa: B006  # a form's default; `bind` copies it
    search_operator: Annotated[
        Literal["", "and", "or"],
        Field(label="Conditions hold", help="and: all of them; or: any.", advanced=True),
    ] = "",
    filter_date_start: Annotated[
        datetime | None, Field(label="Filter from", help="Only those created since.")
    ] = None,
    filter_date_end: Annotated[
        datetime | None, Field(label="Filter until", help="Only those created until then.")
    ] = None,
    limit: Limit = 10,
    website_id: Website = "",
) -> Request:
    """Gives the people profiles of the website that match."""
    filters = [{**row, "query": row.get("query") or []} for row in search_filters]
    query = {
        "per_page": PAGE if limit > SHORT_PAGE else SHORT_PAGE,
        "sort_order": sort_order,
        "sort_field": sort_field,
        "search_text": search_text,
        "search_filter": json.dumps(filters, separators=(",", ":")) if filters else "",
        "search_operator": search_operator,
        "filter_date_start": iso(filter_date_start),
        "filter_date_end": iso(filter_date_end),
    }
    query = {name: value for name, value in query.items() if value not in (None, "")}
    return Request("GET", f"{below(website_id, 'people', 'profiles')}/{{page}}", query=query)


Person = Annotated[
    str,
    Field(
        label="People ID",
        help="The profile's ID; its e-mail address does as well.",
        key="people_id",
        options=list_people_profiles,
        option_value="people_id",
        option_label="person.nickname",
    ),
]


class Profile(TypedDict, total=False):
    """An account of the person at another service."""

    type: Annotated[str, Field(label="Profile type", example="twitter")]
    handle: Annotated[str, Field(label="Handle")]
    url: Annotated[str, Field(label="Profile URL")]


Row = tuple[str, str, Any, str, dict[str, Any]]
_PLACE: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
    ("country", "Country code", str, {"help": "Two letters.", "example": "GB"}),
    ("region", "Region code", str, {"example": "LND"}),
    ("city", "City name", str, {"example": "London"}),
    ("coordinates.latitude", "Latitude", float, {"minimum": -90, "maximum": 90}),
    ("coordinates.longitude", "Longitude", float, {"minimum": -180, "maximum": 180}),
)
_MONEY = {"help": "In a currency of your choice: Crisp keeps the number only."}
Gender = Literal["female", "male", "other"] | str  # noqa: PYI051  # a form shows the list and a text
_OFFSET = {"help": "Minutes from UTC.", "example": 60}

FIELDS: tuple[Row, ...] = (
    # name, path in the body, type, label, more of its `Field`
    ("full_name", "person.nickname", str, "Full name", {}),
    ("avatar", "person.avatar", str, "Avatar URL", {"format": "uri"}),
    ("gender", "person.gender", Gender, "Gender", {"example": "female"}),
    ("phone", "person.phone", str, "Phone number", {"format": "phone"}),
    ("address", "person.address", str, "User address", {}),
    ("website", "person.website", str, "User website", {"format": "uri"}),
    ("description", "person.description", str, "User description", {"advanced": True}),
    ("timezone", "person.timezone", float, "Timezone", _OFFSET),
    ("profiles", "person.profiles", list[Profile], "Profiles", {}),
    ("employment_name", "person.employment.name", str, "Company name (employer)", {}),
    ("employment_domain", "person.employment.domain", str, "Company domain name (employer)", {}),
    ("title", "person.employment.title", str, "User title", {"example": "Head of support"}),
    ("role", "person.employment.role", str, "User role", {"example": "support"}),
    ("seniority", "person.employment.seniority", str, "User seniority", {"example": "manager"}),
    *(
        (f"person_{key.rpartition('.')[2]}", f"person.geolocation.{key}", hint, label, more)
        for key, label, hint, more in _PLACE
    ),
    ("locales", "person.locales", list[str], "Locales", {"example": ["en", "fr"]}),
    ("company_name", "company.name", str, "Company name", {}),
    ("company_legal_name", "company.legal_name", str, "Company legal name", {}),
    ("company_domain", "company.domain", str, "Company domain name", {}),
    ("company_url", "company.url", str, "Company website URL", {"format": "uri"}),
    ("company_description", "company.description", str, "Company description", {}),
    ("company_timezone", "company.timezone", float, "Company timezone offset", _OFFSET),
    ("company_phones", "company.phones", list[str], "Company phones", {}),
    ("company_emails", "company.emails", list[str], "Company e-mails", {}),
    *(
        (
            f"company_{key.rpartition('.')[2]}",
            f"company.geolocation.{key}",
            hint,
            f"Company's {label[0].lower()}{label[1:]}",
            more,
        )
        for key, label, hint, more in _PLACE
    ),
    ("employees", "company.metrics.employees", int, "Number of employees", {"minimum": 0}),
    ("market_cap", "company.metrics.market_cap", float, "Market capitalization", _MONEY),
    ("raised", "company.metrics.raised", float, "Money raised", _MONEY),
    ("arr", "company.metrics.arr", float, "Annual recurring revenue", _MONEY),
    ("tags", "company.tags", list[str], "Tags", {}),
    ("segments", "segments", list[str], "Segments", {"example": ["customer"]}),
    ("notepad", "notepad", str, "Private notepad", {"multiline": True}),
    ("active", "active", datetime, "Last active", {"advanced": True}),
)
"""All fields of a profile, person before company. ``erase`` in a mapping clears one at Crisp."""


def _arguments() -> list[Argument]:
    rows = []
    for name, _, hint, label, more in FIELDS:
        options: Mapping[str, Any] = {}
        if name == "segments":
            options = {
                "options": list_people_segments,
                "option_value": "segment",
                "option_label": "segment",
            }
        rows.append(
            Argument(name, Annotated[hint | None, Field(label=label, **more, **options)], "")
        )
    return rows


def profile_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The nested body of the fields that are filled in; ``None`` (erase) is null, for a list it is
    an empty one.
    """
    body: dict[str, Any] = {}
    if given.get("email") not in ("", None):
        body["email"] = given["email"]
    for name, where, hint, _, _ in FIELDS:
        value = given.get(name, "")
        if value == "":
            continue
        if isinstance(value, datetime):
            value = milliseconds(value)
        *parents, last = where.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = [] if value is None and hint is not str and _is_list(hint) else value
    return body


def _is_list(hint: Any) -> bool:
    return getattr(hint, "__origin__", None) is list


def _with_fields(
    function: Callable[..., Request], *first: Argument, name: str, doc: str
) -> Callable[..., Any]:
    last = Argument("website_id", Website, "")
    return Described(function, lambda: [*first, *_arguments(), last], name=name, doc=doc)


def _add(**given: Any) -> Request:
    where = below(given.get("website_id", ""), "people", "profile")
    return Request("POST", where, json=profile_of(given))


def _update(**given: Any) -> Request:
    body = profile_of(given)
    if not body:
        raise BundleInvalid(field="email", reason="nothing to change is given; fill in a field")
    return Request(
        "PATCH",
        below(given.get("website_id", ""), "people", "profile", given["people_id"]),
        json=body,
    )


add_people_profile = crisp.action(
    "Add a people profile", effect="once", items="data", probe=PROFILE_ADDED
)(
    _with_fields(
        _add,
        Argument("email", Annotated[str, Field(label="E-mail", format="email")]),
        name="add_people_profile",
        doc="Adds a people profile and gives its ID; an e-mail that has one already is refused.",
    )
)

update_people_profile = crisp.action("Update a people profile", effect="idempotent")(
    _with_fields(
        _update,
        Argument("people_id", Person),
        Argument("email", Annotated[str, Field(label="E-mail", format="email")], ""),
        name="update_people_profile",
        doc="Changes the fields that are filled in of a people profile and leaves the others.",
    )
)


@crisp.action("Get a people profile", effect="read", items="data")
def get_people_profile(people_id: Person, website_id: Website = "") -> Request:
    """Gives a people profile, by its ID or by its e-mail address."""
    return Request("GET", below(website_id, "people", "profile", people_id))


@crisp.action("Remove a people profile", effect="idempotent")
def remove_people_profile(people_id: Person, website_id: Website = "") -> Request:
    """Removes a people profile from the website."""
    return Request("DELETE", below(website_id, "people", "profile", people_id))


@crisp.action("Update a person's data", effect="idempotent")
def update_people_data(
    people_id: Person,
    data: Annotated[
        dict[str, Any], Field(label="Data", help="Names and values.", example={"plan": "gold"})
    ],
    website_id: Website = "",
) -> Request:
    """Sets values of your own on a people profile and keeps the others it has."""
    if not data:
        raise BundleInvalid(field="data", reason="no name and value is given; map a collection")
    return Request("PATCH", below(website_id, "people", "data", people_id), json={"data": data})


@crisp.action("Add an event to a person", effect="once", probe=EVENT_ADDED)
def add_people_event(
    people_id: Person,
    text: Annotated[str, Field(label="Text", example="Order placed")],
    data: Annotated[dict[str, Any], Field(label="Data")] = {},  # noqa: B006  # as above
    color: Annotated[str, Field(label="Colour", example="blue")] = "",
    website_id: Website = "",
) -> Request:
    """Writes an event into a person's history, such as an order or a payment."""
    body: dict[str, Any] = {"text": text}
    body |= {key: value for key, value in (("data", data), ("color", color)) if value}
    return Request("POST", below(website_id, "people", "events", people_id), json=body)
