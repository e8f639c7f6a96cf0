"""Calendars, their groups, appointments, blocked times and the notes of appointments."""

from __future__ import annotations

from typing import Any, Literal

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.fields import calendar_id, contact_id, user_id
from junctor.connectors.highlevel.table import (
    field,
    flag,
    limit_of,
    millis,
    moment,
    need,
    number,
    operation,
    texts,
)
from junctor.language.connector import Paging

EVENT = need("eventId", "Appointment ID")
CALENDAR = calendar_id(required=True)
GROUP = need("groupId", "Group", options=lists.calendar_group)
Unit = Literal["mins", "hours"]
Ahead = Literal["mins", "hours", "days", "weeks", "months"]

# Appointments

_TIME = "With the offset of a time zone, or in the organisation's."
_FREE: dict[str, Any] = {
    "options": lists.free_time,
    "option_value": "start",
    "option_label": "start",
    "options_with": {"startDate": "{{now}}", "endDate": "{{addDays(now; 14)}}"},
}
"""The calendar's free times of the next two weeks."""
_APPOINTMENT = (
    field("title", "Title"),
    field(
        "appointmentStatus",
        "Status",
        Literal[
            "new", "confirmed", "cancelled", "showed", "noshow", "invalid", "completed", "active"
        ],
    ),
    user_id("assignedUserId", "With"),
    field("description", "Description", multiline=True, advanced=True),
    field("address", "Address or link", advanced=True),
    field(
        "meetingLocationType",
        "Kind of place",
        Literal["custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"],
        advanced=True,
    ),
    field("meetingLocationId", "Place ID", example="custom_0", advanced=True),
    flag("overrideLocationConfig", "Place overrides the calendar's", advanced=True),
    flag("ignoreDateRange", "Ignore notice and date range", advanced=True),
    flag("ignoreFreeSlotValidation", "Even if the time is taken", advanced=True),
    flag("toNotify", "Run automations", advanced=True),
    field("rrule", "Recurrence", help="An RFC 5545 rule.", advanced=True),
)
operation(
    "Create an appointment",
    "POST",
    "/calendars/events/appointments",
    "Books an appointment of a contact in a calendar.",
    CALENDAR,
    contact_id(),
    moment("startTime", "Start", required=True, help=_TIME, **_FREE),
    moment("endTime", "End", help="Empty: as long as the calendar's slots."),
    *_APPOINTMENT,
    name="createAppointment",
    probe=probes.APPOINTMENT,
    location="body",
)
operation(
    "Update an appointment",
    "PUT",
    "/calendars/events/appointments/{eventId}",
    "Changes the fields of an appointment that are filled in.",
    EVENT,
    calendar_id(),
    moment("startTime", "Start", help=_TIME, **_FREE),
    moment("endTime", "End"),
    *_APPOINTMENT,
    name="updateAppointment",
)
operation(
    "Get an appointment",
    "GET",
    "/calendars/events/appointments/{eventId}",
    "Gives an appointment by its ID.",
    EVENT,
    name="getAppointment",
    items="event",
)
operation(
    "Delete an appointment or blocked time",
    "DELETE",
    "/calendars/events/{eventId}",
    "Deletes an appointment or a blocked time.",
    EVENT,
    name="deleteEvent",
)
_SPAN = (
    moment("startTime", "From", required=True, sent=millis),
    moment("endTime", "To", required=True, sent=millis),
    calendar_id(),
    user_id("userId", "User"),
    field("groupId", "Group", options=lists.calendar_group),
)
for _label, _path, _name in (
    ("List appointments", "/calendars/events", "listAppointments"),
    ("List blocked times", "/calendars/blocked-slots", "listBlockedTimes"),
):
    operation(
        _label,
        "GET",
        _path,
        f"{_label} between two times, of a calendar, a user or a group: one of the three must be "
        "given.",
        *_SPAN,
        name=_name,
        items="events",
        search=True,
        location="query",
        one_of=("calendarId", "userId", "groupId"),
    )
operation(
    "Get free times",
    "GET",
    "/calendars/{calendarId}/free-slots",
    "Gives the free times of a calendar by day. The span may be 31 days at most.",
    CALENDAR,
    moment("startDate", "From", required=True, sent=millis),
    moment("endDate", "To", required=True, sent=millis),
    field("timezone", "Time zone", example="America/Chihuahua"),
    user_id("userId", "User"),
    texts("userIds", "Users", options=lists.user, advanced=True),
    name="getFreeTimes",
)
_BLOCK = (
    field("title", "Title"),
    user_id("assignedUserId", "Of user"),
)
operation(
    "Block a time",
    "POST",
    "/calendars/events/block-slots",
    "Blocks a time in a calendar or for a user.",
    calendar_id(),
    moment("startTime", "Start", required=True),
    moment("endTime", "End", required=True),
    *_BLOCK,
    name="createBlockedTime",
    probe=probes.BLOCKED_TIME,
    location="body",
    one_of=("calendarId", "assignedUserId"),
)
operation(
    "Update a blocked time",
    "PUT",
    "/calendars/events/block-slots/{eventId}",
    "Changes a blocked time.",
    need("eventId", "Blocked time ID"),
    calendar_id(required=True),
    moment("startTime", "Start"),
    moment("endTime", "End"),
    *_BLOCK,
    name="updateBlockedTime",
    location="body",
)

# Notes of appointments

_OF = need("appointmentId", "Appointment ID")
_NOTE = need("noteId", "Note ID")
_TEXT = (need("body", "Text", multiline=True), user_id("userId", "Written by"))
operation(
    "List notes of an appointment",
    "GET",
    "/calendars/appointments/{appointmentId}/notes",
    "Lists the notes of an appointment.",
    _OF,
    limit_of(),
    name="listAppointmentNotes",
    items="notes",
    search=True,
    paging=Paging(style="offset", param="offset", size=20),
)
operation(
    "Add a note to an appointment",
    "POST",
    "/calendars/appointments/{appointmentId}/notes",
    "Writes a note on an appointment.",
    _OF,
    *_TEXT,
    name="createAppointmentNote",
    probe=probes.APPOINTMENT_NOTE,
    items="note",
)
operation(
    "Update a note of an appointment",
    "PUT",
    "/calendars/appointments/{appointmentId}/notes/{noteId}",
    "Changes a note of an appointment.",
    _OF,
    _NOTE,
    *_TEXT,
    name="updateAppointmentNote",
    items="note",
)
operation(
    "Delete a note of an appointment",
    "DELETE",
    "/calendars/appointments/{appointmentId}/notes/{noteId}",
    "Deletes a note of an appointment.",
    _OF,
    _NOTE,
    name="deleteAppointmentNote",
)

# Calendars

_ROWS = list[dict[str, Any]]
_IN_UNIT = "In the unit that the next field says."
_SETTINGS = (
    field("description", "Description", multiline=True),
    field("groupId", "Group", options=lists.calendar_group),
    field("slug", "Address (slug)"),
    flag("isActive", "Active"),
    number("slotDuration", "Length of an appointment", help=_IN_UNIT, minimum=0),
    field("slotDurationUnit", "Length is in", Unit),
    number("slotInterval", "Every", help=_IN_UNIT, minimum=0, advanced=True),
    field("slotIntervalUnit", "Every is in", Unit, advanced=True),
    number("slotBuffer", "Pause after", help=_IN_UNIT, minimum=0, advanced=True),
    field("slotBufferUnit", "Pause after is in", Unit, advanced=True),
    number("preBuffer", "Pause before", help=_IN_UNIT, minimum=0, advanced=True),
    field("preBufferUnit", "Pause before is in", Unit, advanced=True),
    number("appoinmentPerSlot", "Appointments per slot", minimum=0, advanced=True),
    number("appoinmentPerDay", "Appointments per day", minimum=0, advanced=True),
    number("allowBookingAfter", "Earliest booking ahead", help=_IN_UNIT, minimum=0, advanced=True),
    field("allowBookingAfterUnit", "Earliest is in", Ahead, advanced=True),
    number("allowBookingFor", "Latest booking ahead", help=_IN_UNIT, minimum=0, advanced=True),
    field("allowBookingForUnit", "Latest is in", Literal["days", "weeks", "months"], advanced=True),
    field(
        "eventType",
        "Who gets it",
        Literal["RoundRobin_OptimizeForAvailability", "RoundRobin_OptimizeForEqualDistribution"],
        advanced=True,
    ),
    field("eventTitle", "Title of appointments", advanced=True),
    field("eventColor", "Colour", example="#039be5", advanced=True),
    field("teamMembers", "Team", _ROWS, help="Rows with `userId`, `priority` …", advanced=True),
    field("locationConfigurations", "Places", _ROWS, advanced=True),
    field("openHours", "Open hours", _ROWS, help="Days of the week and hours.", advanced=True),
    field("availabilityType", "Availability", Literal[0, 1], help="1: custom.", advanced=True),
    field("availabilities", "Custom availability", _ROWS, advanced=True),
    field("notifications", "Notifications", _ROWS, advanced=True),
    flag("enableRecurring", "Recurring appointments", advanced=True),
    field("recurring", "Recurrence", dict[str, Any], advanced=True),
    field("formId", "Form", options=lists.form, advanced=True),
    flag("autoConfirm", "Confirm at once", advanced=True),
    flag("stickyContact", "Remember the contact", advanced=True),
    flag("isLivePaymentMode", "Payments are real", advanced=True),
    flag("allowReschedule", "May be moved", advanced=True),
    flag("allowCancellation", "May be cancelled", advanced=True),
    flag("shouldAssignContactToTeamMember", "Assign the contact", advanced=True),
    flag("shouldSkipAssigningContactForExisting", "Only new contacts", advanced=True),
    flag("shouldSendAlertEmailsToAssignedMember", "Mail the assigned user", advanced=True),
    flag("googleInvitationEmails", "Google invitations", advanced=True),
    field("alertEmail", "Alert e-mail", format="email", advanced=True),
    field("notes", "Notes", multiline=True, advanced=True),
    field("pixelId", "Pixel ID", advanced=True),
    field("widgetSlug", "Widget address", advanced=True),
    field("widgetType", "Widget", Literal["default", "classic"], advanced=True),
    field(
        "formSubmitType", "After the form", Literal["RedirectURL", "ThankYouMessage"], advanced=True
    ),
    field("formSubmitRedirectURL", "Redirect to", advanced=True),
    field("formSubmitThanksMessage", "Thank-you message", advanced=True),
    field("guestType", "Guests", Literal["count_only", "collect_detail"], advanced=True),
    field("consentLabel", "Consent text", advanced=True),
    field("calendarCoverImage", "Cover image", format="uri", advanced=True),
    field("lookBusyConfig", "Look busy", dict[str, Any], advanced=True),
)
operation(
    "Create a calendar",
    "POST",
    "/calendars/",
    "Creates a calendar in the location.",
    need("name", "Name"),
    field(
        "calendarType",
        "Kind",
        Literal[
            "round_robin", "event", "class_booking", "collective", "service_booking", "personal"
        ],
    ),
    *_SETTINGS,
    name="createCalendar",
    probe=probes.CALENDAR,
    items="calendar",
    location="body",
)
operation(
    "Update a calendar",
    "PUT",
    "/calendars/{calendarId}",
    "Changes the settings of a calendar that are filled in.",
    CALENDAR,
    field("name", "Name"),
    *_SETTINGS,
    name="updateCalendar",
    items="calendar",
)
operation(
    "Get a calendar",
    "GET",
    "/calendars/{calendarId}",
    "Gives a calendar with its settings.",
    CALENDAR,
    name="getCalendar",
    items="calendar",
)
operation(
    "Delete a calendar",
    "DELETE",
    "/calendars/{calendarId}",
    "Deletes a calendar.",
    CALENDAR,
    name="deleteCalendar",
)

# Groups

_SLUG = need("slug", "Address (slug)", example="sales")
_NAMED = (need("name", "Name"), need("description", "Description"), _SLUG)
operation(
    "Create a calendar group",
    "POST",
    "/calendars/groups",
    "Creates a group of calendars.",
    *_NAMED,
    flag("isActive", "Active"),
    name="createCalendarGroup",
    probe=probes.CALENDAR_GROUP,
    items="group",
    location="body",
)
operation(
    "Update a calendar group",
    "PUT",
    "/calendars/groups/{groupId}",
    "Changes name, description and address of a group.",
    GROUP,
    *_NAMED,
    name="updateCalendarGroup",
    items="group",
)
operation(
    "Turn a calendar group on or off",
    "PUT",
    "/calendars/groups/{groupId}/status",
    "Makes a group of calendars active or not.",
    GROUP,
    need("isActive", "Active", bool),
    name="setCalendarGroupStatus",
)
operation(
    "Check the address of a calendar group",
    "POST",
    "/calendars/groups/validate-slug",
    "Says in `available` whether an address is free for a group.",
    _SLUG,
    name="checkCalendarGroupSlug",
    effect="read",
    location="body",
)
operation(
    "Delete a calendar group",
    "DELETE",
    "/calendars/groups/{groupId}",
    "Deletes a group of calendars.",
    GROUP,
    name="deleteCalendarGroup",
)
