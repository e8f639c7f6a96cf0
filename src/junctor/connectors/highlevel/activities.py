"""What is done with a contact: tasks, notes, appointments, campaigns and workflows."""

from __future__ import annotations

from typing import Any

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.fields import contact_id, user_id
from junctor.connectors.highlevel.table import (
    field,
    flag,
    limit_of,
    moment,
    need,
    operation,
    texts,
)
from junctor.language.connector import Paging

TASK = need("taskId", "Task ID")
NOTE = need("id", "Note ID")
DONE = need("completed", "Completed", bool)

# Tasks

operation(
    "List tasks of a contact",
    "GET",
    "/contacts/{contactId}/tasks",
    "Lists the tasks of a contact.",
    contact_id(),
    name="listTasks",
    items="tasks",
    search=True,
)
operation(
    "Get a task",
    "GET",
    "/contacts/{contactId}/tasks/{taskId}",
    "Gives a task of a contact.",
    contact_id(),
    TASK,
    name="getTask",
    items="task",
)
operation(
    "Create a task",
    "POST",
    "/contacts/{contactId}/tasks",
    "Gives a contact a task with a due date and someone to do it.",
    contact_id(),
    need("title", "Title"),
    field("body", "Description", multiline=True),
    moment("dueDate", "Due date", required=True),
    field("completed", "Completed", bool, default=False),
    user_id("assignedTo", "Assigned to"),
    name="createTask",
    probe=probes.TASK,
    items="task",
)
operation(
    "Update a task",
    "PUT",
    "/contacts/{contactId}/tasks/{taskId}",
    "Changes the fields of a task that are filled in.",
    contact_id(),
    TASK,
    field("title", "Title"),
    field("body", "Description", multiline=True),
    moment("dueDate", "Due date"),
    flag("completed", "Completed"),
    user_id("assignedTo", "Assigned to"),
    name="updateTask",
    items="task",
)
operation(
    "Complete or reopen a task",
    "PUT",
    "/contacts/{contactId}/tasks/{taskId}/completed",
    "Marks a task as completed, or as not.",
    contact_id(),
    TASK,
    DONE,
    name="setTaskCompleted",
    items="task",
)
operation(
    "Delete a task",
    "DELETE",
    "/contacts/{contactId}/tasks/{taskId}",
    "Deletes a task of a contact.",
    contact_id(),
    TASK,
    name="deleteTask",
)
operation(
    "Search tasks of the location",
    "POST",
    "/locations/{locationId}/tasks/search",
    "Finds tasks of all contacts by text, contact, person and state.",
    field("query", "Search for"),
    texts("contactId", "Contact IDs"),
    texts("assignedTo", "Assigned to", options=lists.user),
    flag("completed", "Completed"),
    field("businessId", "Business", options=lists.business, advanced=True),
    field("limit", "Limit", int, default=25, minimum=1, maximum=100),
    field("skip", "Skip", int, default=0, minimum=0, advanced=True),
    name="searchTasks",
    items="tasks",
    search=True,
    location="path",
)

# Recurring tasks

_RECURRING: tuple[Any, ...] = (
    field("description", "Description", multiline=True),
    texts("contactIds", "Contact IDs"),
    texts("owners", "Assigned to", options=lists.user),
    flag("ignoreTaskCreation", "Without a first task", advanced=True),
)
_RULE = "Frequency, interval, start and end as HighLevel's `rruleOptions`."
_RECURRING_ID = need("id", "Recurring task ID")
operation(
    "Create a recurring task",
    "POST",
    "/locations/{locationId}/recurring-tasks",
    "Creates a task that comes again by a rule.",
    need("title", "Title"),
    need("rruleOptions", "Rule", dict[str, Any], help=_RULE),
    *_RECURRING,
    name="createRecurringTask",
    items="recurringTask",
    location="path",
)
operation(
    "Get a recurring task",
    "GET",
    "/locations/{locationId}/recurring-tasks/{id}",
    "Gives a recurring task.",
    _RECURRING_ID,
    name="getRecurringTask",
    items="recurringTask",
    location="path",
)
operation(
    "Update a recurring task",
    "PUT",
    "/locations/{locationId}/recurring-tasks/{id}",
    "Changes the fields of a recurring task that are filled in.",
    _RECURRING_ID,
    field("title", "Title"),
    field("rruleOptions", "Rule", dict[str, Any], help=_RULE),
    *_RECURRING,
    name="updateRecurringTask",
    items="recurringTask",
    location="path",
)
operation(
    "Delete a recurring task",
    "DELETE",
    "/locations/{locationId}/recurring-tasks/{id}",
    "Deletes a recurring task.",
    _RECURRING_ID,
    name="deleteRecurringTask",
    location="path",
)

# Notes

_NOTE: tuple[Any, ...] = (
    field("title", "Title", advanced=True),
    user_id("userId", "Written by", advanced=True),
    field("color", "Colour", example="#FFAA00", advanced=True),
    flag("pinned", "Pinned", advanced=True),
)
operation(
    "List notes of a contact",
    "GET",
    "/contacts/{contactId}/notes",
    "Lists the notes of a contact.",
    contact_id(),
    name="listNotes",
    items="notes",
    search=True,
)
operation(
    "Get a note",
    "GET",
    "/contacts/{contactId}/notes/{id}",
    "Gives a note of a contact.",
    contact_id(),
    NOTE,
    name="getNote",
    items="note",
)
operation(
    "Add a note to a contact",
    "POST",
    "/contacts/{contactId}/notes",
    "Writes a note on a contact.",
    contact_id(),
    need("body", "Text", multiline=True),
    *_NOTE,
    name="createNote",
    probe=probes.NOTE,
    items="note",
)
operation(
    "Update a note",
    "PUT",
    "/contacts/{contactId}/notes/{id}",
    "Changes a note of a contact.",
    contact_id(),
    NOTE,
    field("body", "Text", multiline=True),
    *_NOTE,
    name="updateNote",
    items="note",
)
operation(
    "Delete a note",
    "DELETE",
    "/contacts/{contactId}/notes/{id}",
    "Deletes a note of a contact.",
    contact_id(),
    NOTE,
    name="deleteNote",
)

# Appointments, campaigns, workflows

operation(
    "List appointments of a contact",
    "GET",
    "/contacts/{contactId}/appointments",
    "Lists the appointments of a contact.\n\n"
    "HighLevel makes them by *Create an appointment*, not below the contact.",
    contact_id(),
    name="listContactAppointments",
    items="events",
    search=True,
)
_CAMPAIGN = need("campaignId", "Campaign", options=lists.campaign)
operation(
    "Add a contact to a campaign",
    "POST",
    "/contacts/{contactId}/campaigns/{campaignId}",
    "Puts a contact into a campaign.",
    contact_id(),
    _CAMPAIGN,
    name="addContactToCampaign",
)
operation(
    "Remove a contact from a campaign",
    "DELETE",
    "/contacts/{contactId}/campaigns/{campaignId}",
    "Takes a contact out of a campaign.",
    contact_id(),
    _CAMPAIGN,
    name="removeContactFromCampaign",
)
operation(
    "Remove a contact from all campaigns",
    "DELETE",
    "/contacts/{contactId}/campaigns/remove-all",
    "Takes a contact out of every campaign.",
    contact_id(),
    name="removeContactFromAllCampaigns",
)
_WORKFLOW = need("workflowId", "Workflow", options=lists.workflow)
_START = moment("eventStartTime", "Event start", advanced=True)
operation(
    "Add a contact to a workflow",
    "POST",
    "/contacts/{contactId}/workflow/{workflowId}",
    "Lets a contact run through a workflow.",
    contact_id(),
    _WORKFLOW,
    _START,
    name="addContactToWorkflow",
)
operation(
    "Remove a contact from a workflow",
    "DELETE",
    "/contacts/{contactId}/workflow/{workflowId}",
    "Takes a contact out of a workflow.",
    contact_id(),
    _WORKFLOW,
    _START,
    name="removeContactFromWorkflow",
    at="body",
)

# Submissions

for _kind, _one in (("forms", "form"), ("surveys", "survey")):
    operation(
        f"List {_one} submissions",
        "GET",
        f"/{_kind}/submissions",
        f"Lists what contacts have filled into the location's {_kind}.",
        field(f"{_one}Id", _one.capitalize(), options=getattr(lists, _one)),
        field("q", "Search for", help="Contact ID, name, e-mail or phone."),
        field("startAt", "From", help="A day, as 2026-11-21.", example="2026-11-21"),
        field("endAt", "To", help="A day, as 2026-11-21.", example="2026-11-30"),
        limit_of(),
        name=f"list{_one.capitalize()}Submissions",
        items="submissions",
        search=True,
        location="query",
        paging=Paging(style="page", param="page", first=1),
    )
