"""A double of HighLevel's API (version by header): contacts with notes, tasks and appointments.

Operations, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs,
CC0, ``apps/contacts.json``, ``calendars.json``, ``locations.json``); limits, the five headers and
signatures its pages *Authorization* and *WebhookAuthentication*. The location is in the US and
forbids duplicate contacts unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal
from urllib.parse import urlencode

from junctor.simulators import checks
from junctor.simulators.describe import Description
from junctor.simulators.highlevel_account import VENDOR_LIMITS, HighLevelAccount
from junctor.simulators.highlevel_contacts import CREATE, UPDATE, UPSERT, iso, require
from junctor.simulators.highlevel_document import described
from junctor.simulators.highlevel_more import EVENT
from junctor.simulators.highlevel_search import SEARCH, page_of_list, page_of_search
from junctor.simulators.highlevel_state import APPOINTMENT, APPOINTMENT_REQUIRED, NOTE, TASK
from junctor.simulators.kit import Refused, Route
from junctor.simulators.wire import Reply, Request

__all__ = ["VENDOR_LIMITS", "HighLevelSimulator"]

_CALENDARS = "2021-04-15"
_REST = "2021-07-28"


class HighLevelSimulator(HighLevelAccount):
    """HighLevel, with one location and a private integration token for it."""

    def routes(self) -> Iterable[Route]:
        """All operations, with the version of the API that each belongs to."""
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("POST", "/contacts/search", "search-contacts-advanced", self._search),
            ("GET", "/contacts/search/duplicate", "get-duplicate-contact", self._duplicate),
            ("GET", "/contacts/", "get-contacts", self._list_contacts),
            ("POST", "/contacts/", "create-contact", self._create_contact),
            ("POST", "/contacts/upsert", "upsert-contact", self._upsert_contact),
            ("GET", "/contacts/{contactId}", "get-contact", self._get_contact),
            ("PUT", "/contacts/{contactId}", "update-contact", self._update_contact),
            ("DELETE", "/contacts/{contactId}", "delete-contact", self._delete_contact),
            ("POST", "/contacts/{contactId}/tags", "add-tags", self._add_tags),
            ("DELETE", "/contacts/{contactId}/tags", "remove-tags", self._remove_tags),
            ("GET", "/contacts/{contactId}/notes", "get-all-notes", self._list_notes),
            ("POST", "/contacts/{contactId}/notes", "create-note", self._create_note),
            ("GET", "/contacts/{contactId}/notes/{id}", "get-note", self._get_note),
            ("PUT", "/contacts/{contactId}/notes/{id}", "update-note", self._update_note),
            ("DELETE", "/contacts/{contactId}/notes/{id}", "delete-note", self._delete_note),
            ("GET", "/contacts/{contactId}/tasks", "get-all-tasks", self._list_tasks),
            ("POST", "/contacts/{contactId}/tasks", "create-task", self._create_task),
            ("GET", "/contacts/{contactId}/tasks/{id}", "get-task", self._get_task),
            ("PUT", "/contacts/{contactId}/tasks/{id}", "update-task", self._update_task),
            ("DELETE", "/contacts/{contactId}/tasks/{id}", "delete-task", self._delete_task),
            (
                "PUT",
                "/contacts/{contactId}/tasks/{id}/completed",
                "update-task-completed",
                self._complete_task,
            ),
            (
                "GET",
                "/contacts/{contactId}/appointments",
                "get-appointments-for-contact",
                self._appointments_of,
            ),
            ("POST", "/calendars/events/appointments", "create-appointment", self._appoint),
            ("GET", "/calendars/events/appointments/{id}", "get-appointment", self._appointment),
            ("GET", "/calendars/", "get-calendars", self._list_calendars),
            ("GET", "/locations/{locationId}", "get-location", self._get_location),
            ("GET", "/locations/{locationId}/tags", "get-location-tags", self._list_tags),
            ("GET", "/locations/{locationId}/customFields", "get-custom-fields", self._list_fields),
            ("GET", "/users/", "get-user-by-location", self._list_users),
        )
        yield from self.more.routes()
        yield from self.talk.routes()
        yield from self.around.routes()
        yield from self.calendars.routes()
        yield from self.calls.routes()
        yield from self.place.routes()
        for method, path, operation, handler in table:
            version = _CALENDARS if path.startswith("/calendars") else _REST
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note=version
            )

    def described(self) -> Description:
        """What they take."""
        return described(self)

    # Contacts.

    def _contact(self, request: Request) -> dict[str, Any]:
        return self.state.contacts.get(request.params["contactId"])

    def _refuse_duplicate(self, values: dict[str, Any], own_id: str | None = None) -> None:
        duplicate = self.state.contacts.duplicate_of(values, own_id)
        if duplicate is not None:
            key, contact_id = duplicate
            meta = {"contactId": contact_id, "matchingField": key}
            raise Refused(400, "This location does not allow duplicated contacts.", meta=meta)

    def _search(self, request: Request) -> Reply:
        body = request.json()
        require(body, SEARCH, ("locationId", "pageLimit"))
        self.own_location(body["locationId"])
        return self.ok(page_of_search(self.state.contacts.rows.values(), body))

    def _duplicate(self, request: Request) -> Reply:
        query = request.query
        self.own_location(query.get("locationId"))
        found = self.state.contacts.match(
            {"email": query.get("email"), "phone": query.get("number")}
        )
        return self.ok({"contact": found[1] if found else None})

    def _list_contacts(self, request: Request) -> Reply:
        query = request.query
        self.own_location(query.get("locationId"))

        def url(more: dict[str, Any]) -> str:
            return f"{self.base_url}/contacts/?{urlencode(more)}"

        return self.ok(page_of_list(self.state.contacts.rows.values(), query, url))

    def _create_contact(self, request: Request) -> Reply:
        body = request.json()
        require(body, CREATE, ("locationId",))
        self.own_location(body["locationId"])
        self._refuse_duplicate(body)
        contact = self.state.contacts.create(body, self.clock.date())
        self.emit_contact("ContactCreate", contact)
        return self.ok({"contact": contact}, 201)

    def _upsert_contact(self, request: Request) -> Reply:
        body = request.json()
        require(body, UPSERT, ("locationId",))
        self.own_location(body["locationId"])
        always_new = body.get("createNewIfDuplicateAllowed", False)
        new, contact = self.state.contacts.upsert(body, self.clock.date(), always_new=always_new)
        self.emit_contact("ContactCreate" if new else "ContactUpdate", contact)
        return self.ok({"new": new, "contact": contact})

    def _get_contact(self, request: Request) -> Reply:
        return self.ok({"contact": self._contact(request)})

    def _update_contact(self, request: Request) -> Reply:
        contact = self._contact(request)
        body = request.json()
        require(body, UPDATE)
        self._refuse_duplicate(body, contact["id"])
        self.state.contacts.update(contact, body, self.clock.date())
        self.emit_contact("ContactUpdate", contact)
        return self.ok({"succeded": True, "contact": contact})

    def _delete_contact(self, request: Request) -> Reply:
        contact = self._contact(request)
        self.state.contacts.delete(contact)
        self.state.forget(contact["id"])
        self.emit_contact("ContactDelete", contact)
        return self.ok({"succeded": True})

    def _add_tags(self, request: Request) -> Reply:
        return self._change_tags(request, 201)

    def _remove_tags(self, request: Request) -> Reply:
        return self._change_tags(request, 200)

    def _change_tags(self, request: Request, status: int) -> Reply:
        contact = self._contact(request)
        body = request.json()
        require(body, {"tags": checks.texts}, ("tags",))
        change = self.state.contacts.add_tags if status == 201 else self.state.contacts.remove_tags
        before = list(contact["tags"])
        tags = change(contact, body["tags"], self.clock.date())
        if tags != before:
            self.emit_contact("ContactTagUpdate", contact)
        return self.ok({"tags": tags}, status)

    # Notes and tasks of a contact.

    def _list_notes(self, request: Request) -> Reply:
        return self.ok({"notes": self.state.notes.of(self._contact(request)["id"])})

    def _create_note(self, request: Request) -> Reply:
        contact = self._contact(request)
        body = request.json()
        require(body, NOTE, ("body",))
        now = iso(self.clock.date())
        note = self.state.notes.add(contact["id"], {**body, "dateAdded": now})
        contact["dateUpdated"] = now  # assumed: a note changes its contact, without an event
        self.emit("NoteCreate", note)
        return self.ok({"note": note}, 201)

    def _get_note(self, request: Request) -> Reply:
        return self.ok({"note": self._child(request, "notes")})

    def _update_note(self, request: Request) -> Reply:
        note = self._child(request, "notes")
        body = request.json()
        require(body, NOTE)
        note.update(body)
        self.emit("NoteUpdate", note)
        return self.ok({"note": note})

    def _delete_note(self, request: Request) -> Reply:
        note = self._child(request, "notes")
        self.state.notes.remove(note)
        self.emit("NoteDelete", note)
        return self.ok({"succeded": True})

    def _list_tasks(self, request: Request) -> Reply:
        rows = self.state.tasks.of(self._contact(request)["id"])
        return self.ok({"tasks": [_as_task(row) for row in rows]})

    def _create_task(self, request: Request) -> Reply:
        contact = self._contact(request)
        body = request.json()
        require(body, TASK, ("title", "dueDate", "completed"))
        task = self.state.tasks.add(
            contact["id"],
            {"body": "", "assignedTo": None, **body, "dateAdded": iso(self.clock.date())},
        )
        self.emit("TaskCreate", task)
        return self.ok({"task": _as_task(task)}, 201)

    def _get_task(self, request: Request) -> Reply:
        return self.ok({"task": _as_task(self._child(request, "tasks"))})

    def _update_task(self, request: Request) -> Reply:
        return self._change_task(request, TASK, ())

    def _complete_task(self, request: Request) -> Reply:
        return self._change_task(request, {"completed": checks.boolean}, ("completed",))

    def _change_task(
        self, request: Request, shape: dict[str, checks.Check], required: tuple[str, ...]
    ) -> Reply:
        task = self._child(request, "tasks")
        body = request.json()
        require(body, shape, required)
        was_completed = task["completed"]
        task.update(body)
        if task["completed"] and not was_completed:
            self.emit("TaskComplete", task)
        return self.ok({"task": _as_task(task)})

    def _delete_task(self, request: Request) -> Reply:
        task = self._child(request, "tasks")
        self.state.tasks.remove(task)
        self.emit("TaskDelete", task)
        return self.ok({"succeded": True})

    def _child(self, request: Request, kind: Literal["notes", "tasks"]) -> dict[str, Any]:
        contact = self._contact(request)
        children = self.state.notes if kind == "notes" else self.state.tasks
        return children.get(contact["id"], request.params["id"])

    # Calendars, location, users.

    def _appoint(self, request: Request) -> Reply:
        body = request.json()
        require(body, APPOINTMENT, APPOINTMENT_REQUIRED)
        self.own_location(body["locationId"])
        self.state.contacts.get(body["contactId"])
        appointment = self.state.appoint(body, iso(self.clock.date()))
        self.emit("AppointmentCreate", {"appointment": appointment})
        return self.ok(appointment)

    def _appointment(self, request: Request) -> Reply:
        found = self.state.appointments.get(request.params["id"])
        if found is None:
            raise Refused(404, f"Appointment not found: {request.params['id']}")
        shown = {**EVENT, **found}
        return self.ok({"event": shown, "appointment": shown})

    def _appointments_of(self, request: Request) -> Reply:
        contact_id = self._contact(request)["id"]
        rows = [r for r in self.state.appointments.values() if r["contactId"] == contact_id]
        return self.ok({"events": rows})

    def _list_calendars(self, request: Request) -> Reply:
        self.own_location(request.query.get("locationId"))
        return self.ok({"calendars": self.state.calendars})

    def _get_location(self, request: Request) -> Reply:
        self.own_location(request.params["locationId"])
        return self.ok({"location": self.state.location})

    def _list_tags(self, request: Request) -> Reply:
        self.own_location(request.params["locationId"])
        return self.ok({"tags": self.state.tags()})

    def _list_fields(self, request: Request) -> Reply:
        self.own_location(request.params["locationId"])
        return self.ok({"customFields": self.state.custom_fields})

    def _list_users(self, request: Request) -> Reply:
        self.own_location(request.query.get("locationId"))
        return self.ok({"users": self.state.users})


def _as_task(row: dict[str, Any]) -> dict[str, Any]:
    """A task as a contact's operations show it: only the location's search says when it was made
    (assumed; the specification doesn't show what that gives).
    """
    return {
        key: value
        for key, value in row.items()
        if key != "dateAdded" and (key, value) != ("assignedTo", None)
    }
