"""What a simulated HighLevel location holds besides the rules of its contacts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from junctor.simulators import checks
from junctor.simulators.highlevel_contacts import Contacts
from junctor.simulators.people import person, text_id
from junctor.simulators.routes import Refused

__all__ = [
    "APPOINTMENT",
    "APPOINTMENT_REQUIRED",
    "NOTE",
    "TASK",
    "Children",
    "HighLevelState",
    "new_state",
]

NOTE: dict[str, checks.Check] = {
    "body": checks.filled,
    "userId": checks.text,
    "title": checks.text,
    "color": checks.text,
    "pinned": checks.boolean,
}
TASK: dict[str, checks.Check] = {
    "title": checks.filled,
    "body": checks.text,
    "dueDate": checks.iso_date,
    "completed": checks.boolean,
    "assignedTo": checks.nullable(checks.text),
}
APPOINTMENT: dict[str, checks.Check] = {
    **dict.fromkeys(
        (
            "title",
            "meetingLocationId",
            "assignedUserId",
            "description",
            "address",
            "rrule",
        ),
        checks.text,
    ),
    **dict.fromkeys(("calendarId", "locationId", "contactId"), checks.filled),
    **dict.fromkeys(
        ("overrideLocationConfig", "ignoreDateRange", "toNotify", "ignoreFreeSlotValidation"),
        checks.boolean,
    ),
    "startTime": checks.iso_date,
    "endTime": checks.iso_date,
    "meetingLocationType": checks.one_of(
        "custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"
    ),
    "appointmentStatus": checks.one_of(
        "new", "confirmed", "cancelled", "showed", "noshow", "invalid"
    ),
}
APPOINTMENT_REQUIRED = ("calendarId", "locationId", "contactId", "startTime")


class Children:
    """Notes or tasks: rows that belong to a contact."""

    def __init__(self, word: str, chance: random.Random) -> None:
        self._word = word
        self._chance = chance
        self.rows: dict[str, dict[str, Any]] = {}
        self._of: dict[str, list[str]] = {}

    def add(self, contact_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A new row of a contact."""
        row = {"id": text_id(self._chance), **values, "contactId": contact_id}
        self.rows[row["id"]] = row
        self._of.setdefault(contact_id, []).append(row["id"])
        return row

    def get(self, contact_id: str, row_id: str) -> dict[str, Any]:
        """A contact's row; `Refused` 404 if it has none of that id."""
        row = self.rows.get(row_id)
        if row is None or row["contactId"] != contact_id:
            raise Refused(404, f"{self._word} not found: {row_id}")
        return row

    def of(self, contact_id: str) -> list[dict[str, Any]]:
        """A contact's rows, oldest first."""
        return [self.rows[row_id] for row_id in self._of.get(contact_id, ())]

    def remove(self, row: Mapping[str, Any]) -> None:
        """Removes a row."""
        del self.rows[row["id"]]
        self._of[row["contactId"]].remove(row["id"])

    def forget(self, contact_id: str) -> None:
        """Removes all rows of a contact."""
        for row_id in self._of.pop(contact_id, ()):
            del self.rows[row_id]


@dataclass(slots=True)
class HighLevelState:
    """One location."""

    chance: random.Random
    contacts: Contacts
    notes: Children
    tasks: Children
    location: dict[str, Any]
    users: list[dict[str, Any]]
    calendars: list[dict[str, Any]]
    custom_fields: list[dict[str, Any]]
    appointments: dict[str, dict[str, Any]] = field(default_factory=dict)
    own_tags: dict[str, None] = field(default_factory=dict)
    """Tags that were made without a contact."""

    def appoint(self, body: Mapping[str, Any], now: str) -> dict[str, Any]:
        """A new appointment; an end that isn't given is half an hour after its start.

        Any calendar is taken, and none is ever full.
        """
        end = datetime.fromisoformat(body["startTime"]) + timedelta(minutes=30)
        values = {k: v for k, v in body.items() if k not in {"toNotify", "ignoreDateRange"}}
        row: dict[str, Any] = {
            "appointmentStatus": "confirmed",
            "endTime": end.isoformat(),
            "isRecurring": "rrule" in body,
            **values,
            "id": text_id(self.chance),
            "dateAdded": now,
            "dateUpdated": now,
        }
        self.appointments[row["id"]] = row
        return row

    def forget(self, contact_id: str) -> None:
        """Removes what belongs to a deleted contact."""
        self.notes.forget(contact_id)
        self.tasks.forget(contact_id)
        self.appointments = {
            key: row for key, row in self.appointments.items() if row["contactId"] != contact_id
        }

    def tags(self) -> list[dict[str, str]]:
        """All tags that contacts have."""
        names = sorted(
            {tag for row in self.contacts.rows.values() for tag in row["tags"]}
            | self.own_tags.keys()
        )
        location_id = self.location["id"]
        return [{"id": f"tag-{name}", "name": name, "locationId": location_id} for name in names]

    def as_record(self) -> dict[str, Any]:
        """Plain data for the admin API."""
        return {
            "location": self.location,
            "contacts": list(self.contacts.rows.values()),
            "notes": list(self.notes.rows.values()),
            "tasks": list(self.tasks.rows.values()),
            "appointments": list(self.appointments.values()),
            "users": self.users,
            "calendars": self.calendars,
            "customFields": self.custom_fields,
        }


def new_state(
    chance: random.Random,
    now: datetime,
    location_id: str,
    *,
    contacts: int,
    allow_duplicates: bool,
    match_order: tuple[str, ...],
) -> HighLevelState:
    """A location with two users, a calendar, a custom field, and contacts."""
    taken: set[str] = set()
    users = []
    for _ in range(2):
        someone = person(chance, taken)
        users.append(
            {
                "id": text_id(chance),
                "name": someone.name,
                "firstName": someone.first,
                "lastName": someone.last,
                "email": someone.email,
                "phone": someone.phone,
            }
        )
    fields = [
        {
            "id": text_id(chance),
            "name": "Toky call",
            "fieldKey": "contact.toky_call",
            "dataType": "TEXT",
            "locationId": location_id,
        }
    ]
    held = Contacts(location_id, chance, allow_duplicates=allow_duplicates, match_order=match_order)
    held.field_ids = {"toky_call": fields[0]["id"], "contact.toky_call": fields[0]["id"]}
    held.seed([person(chance, taken) for _ in range(contacts)], now - timedelta(days=30))
    return HighLevelState(
        chance=chance,
        contacts=held,
        notes=Children("Note", chance),
        tasks=Children("Task", chance),
        location={
            "id": location_id,
            "companyId": text_id(chance),
            "name": "Simulated location",
            "country": "US",
            "timezone": "America/New_York",
            "email": "location@example.com",
        },
        users=users,
        calendars=[
            {
                "id": text_id(chance),
                "locationId": location_id,
                "name": "Appointments",
                "isActive": True,
            }
        ],
        custom_fields=fields,
    )
