"""The contacts of a simulated HighLevel location: rules for what may be written, matching, search.

Fields, and which of them an operation takes, are those of the vendor's specification
(``contacts.json`` of GoHighLevel/highlevel-api-docs, CC0): an update takes no ``locationId``,
``gender`` or ``companyName``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from junctor.simulators import checks
from junctor.simulators.checks import Check
from junctor.simulators.people import Person, text_id
from junctor.simulators.routes import Refused

__all__ = ["CREATE", "UPDATE", "UPSERT", "Contacts", "iso", "require"]

_TEXT = checks.nullable(checks.text)
UPDATE: Mapping[str, Check] = {
    **dict.fromkeys(
        ("firstName", "lastName", "name", "address1", "city", "state", "website", "timezone"), _TEXT
    ),
    "email": checks.nullable(checks.email),
    "phone": checks.nullable(checks.phone),
    "postalCode": checks.text,
    "dnd": checks.boolean,
    "dndSettings": checks.mapping,
    "inboundDndSettings": checks.mapping,
    "tags": checks.texts,
    "customFields": checks.objects,
    "source": _TEXT,
    "dateOfBirth": checks.nullable(checks.iso_date),
    "country": checks.text,
    "assignedTo": _TEXT,
}
CREATE: Mapping[str, Check] = {
    **UPDATE,
    "locationId": checks.text,
    "gender": checks.text,
    "companyName": _TEXT,
}
UPSERT: Mapping[str, Check] = {**CREATE, "createNewIfDuplicateAllowed": checks.boolean}


def iso(date: datetime) -> str:
    """A date as HighLevel writes it: UTC with milliseconds and ``Z``."""
    return date.strftime("%Y-%m-%dT%H:%M:%S.") + f"{date.microsecond // 1000:03d}Z"


def require(
    body: Mapping[str, Any], shape: Mapping[str, Check], required: Iterable[str] = ()
) -> None:
    """`Refused` 422 with all messages if a body doesn't fit."""
    found = checks.problems(body, shape, tuple(required))
    if found:
        raise Refused(422, found)


class Contacts:
    """All contacts of one location, by id, in the order in which they were made."""

    def __init__(
        self,
        location_id: str,
        chance: random.Random,
        *,
        allow_duplicates: bool = False,
        match_order: tuple[str, ...] = ("email", "phone"),
    ) -> None:
        self.location_id = location_id
        self.allow_duplicates = allow_duplicates
        self.match_order = match_order
        self._chance = chance
        self.rows: dict[str, dict[str, Any]] = {}
        self._index: dict[str, dict[str, dict[str, None]]] = {"email": {}, "phone": {}}
        self.field_ids: dict[str, str] = {}
        """Ids of the location's custom fields, by their key."""
        self._last_ms = 0

    def get(self, contact_id: str) -> dict[str, Any]:
        """A contact; `Refused` 404 if there is none."""
        contact = self.rows.get(contact_id)
        if contact is None:
            raise Refused(404, f"Contact not found: {contact_id}")
        return contact

    def match(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The contact that an e-mail or phone belongs to, and which of the two it was.

        The location's order decides when they belong to two contacts.
        """
        for key in self.match_order:
            value = _indexed(key, values.get(key))
            for contact_id in self._index[key].get(value, ()) if value else ():
                return key, self.rows[contact_id]
        return None

    def create(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """A new contact from a body that fits `CREATE`."""
        contact_id = text_id(self._chance)
        while contact_id in self.rows:
            contact_id = text_id(self._chance)
        # Dates of contacts never tie, so that paging by date is exact.
        self._last_ms = max(self._last_ms + 1, int(now.timestamp() * 1000))
        date = iso(datetime.fromtimestamp(self._last_ms / 1000, now.tzinfo))
        contact: dict[str, Any] = {
            "id": contact_id,
            "locationId": self.location_id,
            "type": "lead",
            "dnd": False,
            "tags": [],
            "customFields": [],
            "dateAdded": date,
            "dateUpdated": date,
        }
        self._write(contact, values)
        self.rows[contact_id] = contact
        return contact

    def update(
        self, contact: dict[str, Any], values: Mapping[str, Any], now: datetime
    ) -> dict[str, Any]:
        """Changes what ``values`` names; tags are replaced."""
        self._write(contact, values)
        contact["dateUpdated"] = iso(now)
        return contact

    def delete(self, contact: dict[str, Any]) -> None:
        """Removes a contact."""
        self._unindex(contact)
        del self.rows[contact["id"]]

    def upsert(
        self, values: Mapping[str, Any], now: datetime, *, always_new: bool
    ) -> tuple[bool, dict[str, Any]]:
        """Creates or updates; whether it is new, and the contact."""
        found = None if always_new and self.allow_duplicates else self.match(values)
        if found is None:
            return True, self.create(values, now)
        key, contact = found
        other = "phone" if key == "email" else "email"
        taken = self._holder(other, values.get(other))
        if taken is not None and taken != contact["id"]:
            # The second field belongs to someone else: it is ignored.
            values = {k: v for k, v in values.items() if k != other}
        return False, self.update(contact, values, now)

    def duplicate_of(
        self, values: Mapping[str, Any], own_id: str | None = None
    ) -> tuple[str, str] | None:
        """The field and the contact that a write would double, where the location forbids it."""
        if self.allow_duplicates:
            return None
        for key in self.match_order:
            holder = self._holder(key, values.get(key))
            if holder is not None and holder != own_id:
                return key, holder
        return None

    def add_tags(self, contact: dict[str, Any], tags: Iterable[str], now: datetime) -> list[str]:
        """Adds tags; all tags afterwards."""
        contact["tags"] = list(dict.fromkeys([*contact["tags"], *_tags(tags)]))
        contact["dateUpdated"] = iso(now)
        return list(contact["tags"])

    def remove_tags(self, contact: dict[str, Any], tags: Iterable[str], now: datetime) -> list[str]:
        """Removes tags; those that are left."""
        gone = set(_tags(tags))
        contact["tags"] = [tag for tag in contact["tags"] if tag not in gone]
        contact["dateUpdated"] = iso(now)
        return list(contact["tags"])

    def seed(self, people: Iterable[Person], now: datetime) -> None:
        """Fills the location with people."""
        for someone in people:
            self.create(
                {
                    "firstName": someone.first,
                    "lastName": someone.last,
                    "email": someone.email,
                    "phone": someone.phone,
                    "city": someone.city,
                    "state": someone.state,
                    "country": "US",
                    "source": "import",
                },
                now,
            )

    def _holder(self, key: str, value: Any) -> str | None:
        held = self._index[key].get(_indexed(key, value) or "", {})
        return next(iter(held), None)

    def _write(self, contact: dict[str, Any], values: Mapping[str, Any]) -> None:
        # First what may be refused, so that a refusal leaves the contact as it was.
        fields = self._custom_fields(contact["customFields"], values.get("customFields", ()))
        self._unindex(contact)
        for key, value in values.items():
            if key in {"locationId", "createNewIfDuplicateAllowed"}:
                continue
            if value is None or (value == "" and key in {"email", "phone"}):
                contact.pop(key, None)
            elif key == "phone":
                contact[key] = checks.normal_phone(value)
            elif key == "email":
                contact[key] = value.strip()
            elif key == "tags":
                contact[key] = list(dict.fromkeys(_tags(value)))
            elif key == "customFields":
                contact[key] = fields
            elif key == "name":
                first, _, last = value.strip().partition(" ")
                if "firstName" not in values:
                    contact["firstName"] = first
                if "lastName" not in values:
                    contact["lastName"] = last
            else:
                contact[key] = value
        full = f"{contact.get('firstName', '')} {contact.get('lastName', '')}".strip()
        contact["name"] = full
        contact["fullNameLowerCase"] = full.lower()
        for key in ("firstName", "lastName", "email"):
            if key in contact:
                contact[key + "LowerCase"] = contact[key].lower()
            else:
                contact.pop(key + "LowerCase", None)
        for key, held in self._index.items():
            value = _indexed(key, contact.get(key))
            if value:
                held.setdefault(value, {})[contact["id"]] = None

    def _custom_fields(self, have: list[Any], given: Iterable[dict[str, Any]]) -> list[Any]:
        merged = {row["id"]: row for row in have}
        for index, row in enumerate(given):
            field_id = row.get("id") or self.field_ids.get(str(row.get("key", "")))
            if not isinstance(field_id, str):
                raise Refused(422, [f"customFields.{index}.id must be a string"])
            value = row.get("field_value", row.get("fieldValue", row.get("value")))
            merged[field_id] = {"id": field_id, "value": value}
        return list(merged.values())

    def _unindex(self, contact: dict[str, Any]) -> None:
        for key, held in self._index.items():
            value = _indexed(key, contact.get(key))
            if value and value in held:
                held[value].pop(contact["id"], None)
                if not held[value]:
                    del held[value]


def _indexed(key: str, value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return checks.normal_phone(value) if key == "phone" else value.strip().lower()


def _tags(tags: Iterable[str]) -> list[str]:
    return [tag.strip() for tag in tags if tag.strip()]
