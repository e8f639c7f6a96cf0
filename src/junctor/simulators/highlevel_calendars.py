"""Calendars of a simulated HighLevel location as things to set up: calendars, their groups' states,
blocked times that move, and the notes of appointments.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0,
``calendars``). Assumed: an address (slug) is taken by one calendar or group only, and who deletes a
calendar leaves its appointments.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from junctor.simulators import checks
from junctor.simulators.checks import Check
from junctor.simulators.highlevel_contacts import iso, require
from junctor.simulators.highlevel_rows import Rows, page, shape
from junctor.simulators.people import text_id
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["Calendars"]

Row = dict[str, Any]
MOST_NOTES = 20
SETTINGS = (
    "isActive? notifications{} groupId teamMembers{} name description slug widgetSlug eventTitle "
    "eventColor meetingLocation locationConfigurations{} slotDuration# slotInterval# slotBuffer# "
    "preBuffer# appoinmentPerSlot# appoinmentPerDay# allowBookingAfter# allowBookingFor# "
    "openHours{} enableRecurring? recurring{} formId stickyContact? isLivePaymentMode? "
    "autoConfirm? shouldSendAlertEmailsToAssignedMember? alertEmail googleInvitationEmails? "
    "allowReschedule? allowCancellation? shouldAssignContactToTeamMember? "
    "shouldSkipAssigningContactForExisting? notes pixelId formSubmitRedirectURL "
    "formSubmitThanksMessage availabilities{} consentLabel calendarCoverImage lookBusyConfig{}"
)
_UNIT = checks.one_of("mins", "hours")
_CHOICES: Mapping[str, Check] = {
    "eventType": checks.one_of(
        "RoundRobin_OptimizeForAvailability", "RoundRobin_OptimizeForEqualDistribution"
    ),
    "widgetType": checks.one_of("default", "classic"),
    **dict.fromkeys(
        ("slotDurationUnit", "slotIntervalUnit", "slotBufferUnit", "preBufferUnit"), _UNIT
    ),
    "allowBookingAfterUnit": checks.one_of("hours", "days", "weeks", "months", "mins"),
    "allowBookingForUnit": checks.one_of("days", "weeks", "months"),
    "formSubmitType": checks.one_of("RedirectURL", "ThankYouMessage"),
    "availabilityType": checks.whole(0, 1),
    "guestType": checks.one_of("count_only", "collect_detail"),
}
CHANGED: Mapping[str, Check] = {**shape(SETTINGS)[0], **_CHOICES}
CREATED: Mapping[str, Check] = {
    **CHANGED,
    "locationId": checks.filled,
    "name": checks.filled,
    "calendarType": checks.one_of(
        "round_robin", "event", "class_booking", "collective", "service_booking", "personal"
    ),
}


class Calendars:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount, chance: random.Random) -> None:
        self._sim = sim
        self.reset(chance)

    def reset(self, chance: random.Random) -> None:
        """As in a new location: no appointment has a note."""
        self._chance = chance
        self.notes = Rows("Note", chance)

    def as_record(self) -> Row:
        """Plain data for the admin API."""
        return {"appointmentNotes": list(self.notes.rows.values())}

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        notes = "/calendars/appointments/{appointmentId}/notes"
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("POST", "/calendars/", "create-calendar", self._make),
            ("PUT", "/calendars/{calendarId}", "update-calendar", self._change),
            ("DELETE", "/calendars/{calendarId}", "delete-calendar", self._drop),
            ("PUT", "/calendars/groups/{groupId}/status", "disable-group", self._switch),
            ("POST", "/calendars/groups/validate-slug", "validate-groups-slug", self._is_free),
            ("PUT", "/calendars/events/block-slots/{eventId}", "edit-block-slot", self._reblock),
            ("GET", notes, "get-appointment-notes", self._notes),
            ("POST", notes, "create-appointment-note", self._note),
            ("PUT", f"{notes}/{{noteId}}", "update-appointment-note", self._rewrite),
            ("DELETE", f"{notes}/{{noteId}}", "delete-appointment-note", self._unwrite),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-04-15"
            )

    # Calendars.

    def _make(self, request: Request) -> Reply:
        body = request.json()
        require(body, CREATED, ("locationId", "name"))
        self._sim.own_location(body["locationId"])
        self._fits(body)
        row = {"calendarType": "event", "isActive": True, **body, "id": text_id(self._chance)}
        self._sim.state.calendars.append(row)
        return self._sim.ok({"calendar": row})

    def _change(self, request: Request) -> Reply:
        row = self._calendar(request)
        body = request.json()
        require(body, CHANGED)
        self._fits(body, row)
        row.update(body)
        return self._sim.ok({"calendar": row})

    def _drop(self, request: Request) -> Reply:
        self._sim.state.calendars.remove(self._calendar(request))
        return self._sim.ok({"success": True})

    def _calendar(self, request: Request) -> Row:
        which = request.params["calendarId"]
        for row in self._sim.state.calendars:
            if row["id"] == which:
                return row
        raise Refused(404, f"Calendar not found: {which}")

    def _fits(self, body: Row, own: Row | None = None) -> None:
        if body.get("groupId"):
            self._groups.get(body["groupId"])
        slug = body.get("slug")
        if slug and any(
            row.get("slug") == slug for row in self._sim.state.calendars if row is not own
        ):
            raise Refused(422, [f"slug {slug} is already taken"])

    # Groups.

    @property
    def _groups(self) -> Rows:
        return self._sim.more.kinds["/calendars/groups"]

    def _switch(self, request: Request) -> Reply:
        row = self._groups.get(request.params["groupId"])
        body = request.json()
        require(body, *shape("isActive?*"))
        row["isActive"] = body["isActive"]
        return self._sim.ok({"success": True})

    def _is_free(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape("locationId* slug*"))
        self._sim.own_location(body["locationId"])
        taken = {row.get("slug") for row in self._groups.rows.values()}
        return self._sim.ok({"available": body["slug"] not in taken})

    # Blocked times.

    def _reblock(self, request: Request) -> Reply:
        row = self._sim.more.blocked.get(request.params["eventId"])
        body = request.json()
        times = {"startTime": checks.iso_date, "endTime": checks.iso_date}
        require(
            body,
            {**shape("title calendarId assignedUserId locationId")[0], **times},
            ("locationId",),
        )
        self._sim.own_location(body["locationId"])
        row.update(body)
        return self._sim.ok(row, 201)

    # Notes of appointments.

    def _of(self, request: Request) -> Row:
        which = request.params["appointmentId"]
        row = self._sim.state.appointments.get(which)
        if row is None:
            raise Refused(404, f"Appointment not found: {which}")
        return row

    def _notes(self, request: Request) -> Reply:
        which = self._of(request)["id"]
        rows = [row for row in self.notes.rows.values() if row["appointmentId"] == which][::-1]
        query = request.query
        missing = [f"{key} should not be empty" for key in ("limit", "offset") if key not in query]
        if missing:
            raise Refused(422, missing)
        chosen = page(rows, query, most=MOST_NOTES)
        more = int(query["offset"]) + len(chosen) < len(rows)
        return self._sim.ok({"notes": [_shown(row) for row in chosen], "hasMore": more})

    def _note(self, request: Request) -> Reply:
        appointment = self._of(request)
        body = request.json()
        require(body, {"body": checks.filled, "userId": checks.nullable(checks.text)}, ("body",))
        row = self.notes.add(
            {
                **body,
                "appointmentId": appointment["id"],
                "contactId": appointment["contactId"],
                "dateAdded": iso(self._sim.clock.date()),
            }
        )
        return self._sim.ok({"note": _shown(row)}, 201)

    def _note_of(self, request: Request) -> Row:
        row = self.notes.get(request.params["noteId"])
        if row["appointmentId"] != self._of(request)["id"]:
            raise Refused(404, f"Note not found: {row['id']}")
        return row

    def _rewrite(self, request: Request) -> Reply:
        row = self._note_of(request)
        body = request.json()
        require(body, {"body": checks.filled, "userId": checks.nullable(checks.text)}, ("body",))
        row.update(body)
        return self._sim.ok({"note": _shown(row)})

    def _unwrite(self, request: Request) -> Reply:
        self.notes.remove(self._note_of(request)["id"])
        return self._sim.ok({"success": True})


def _shown(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "appointmentId"}
