"""What pick-lists are made of: everything of a location that other fields name by an ID."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.table import (
    In,
    LocationId,
    Place,
    field,
    limit_of,
    location,
    millis,
    operation,
)
from junctor.language.connector import Field, Flow, Paging, Request, path

__all__ = [
    "Limit",
    "LocationId",
    "business",
    "calendar",
    "calendar_group",
    "campaign",
    "custom_field",
    "custom_value",
    "form",
    "free_time",
    "link",
    "location",
    "lost_reason",
    "pipeline",
    "stage",
    "survey",
    "tag",
    "user",
    "workflow",
]

Limit = Annotated[int, Field(label="Limit", help="The most results.", minimum=1)]


def _listing(
    label: str, where: str, about: str, *fields: In, size: int | None = None, **more: Any
) -> Callable[..., Any]:
    """A list of the location: whole, or in pages of this size."""
    if size is not None:
        fields = (*fields, limit_of())
        more["paging"] = Paging(style="skip", param="skip", size=size)
    place: Place = "path" if "{locationId}" in where else "query"
    return operation(label, "GET", where, about, *fields, search=True, location=place, **more)


user = _listing(
    "List users",
    "/users/",
    "Lists the people of the location.\n\nThe vendor calls this operation deprecated; its "
    "successor, *Search users*, needs the agency's ID.",
    name="listUsers",
    items="users",
    version="2021-07-28",
)
tag = _listing(
    "List tags",
    "/locations/{locationId}/tags",
    "Lists all tags of the location.",
    name="listTags",
    items="tags",
)
calendar = _listing(
    "List calendars",
    "/calendars/",
    "Lists the calendars of the location.",
    field("groupId", "Group ID", advanced=True),
    field("showDrafted", "With drafts", bool, default=None, advanced=True),
    name="listCalendars",
    items="calendars",
)
calendar_group = _listing(
    "List calendar groups",
    "/calendars/groups",
    "Lists the groups of calendars.",
    name="listCalendarGroups",
    items="groups",
)
custom_field = _listing(
    "List custom fields",
    "/locations/{locationId}/customFields",
    "Lists the custom fields of contacts or opportunities, with their IDs and keys.",
    field("model", "Of", Literal["contact", "opportunity", "all"]),
    name="listCustomFields",
    items="customFields",
)
custom_value = _listing(
    "List custom values",
    "/locations/{locationId}/customValues",
    "Lists the custom values of the location.",
    name="listCustomValues",
    items="customValues",
)
business = _listing(
    "List businesses",
    "/businesses/",
    "Lists the businesses (companies) of the location.",
    name="listBusinesses",
    items="businesses",
    size=100,
)
pipeline = _listing(
    "List pipelines",
    "/opportunities/pipelines",
    "Lists the pipelines of opportunities, each with its stages.",
    name="listPipelines",
    items="pipelines",
)
lost_reason = _listing(
    "List lost reasons",
    "/opportunities/lost-reason",
    "Lists the reasons for which opportunities are lost.",
    field("query", "Search for"),
    name="listLostReasons",
    items="lostReasons",
    size=100,
)
campaign = _listing(
    "List campaigns",
    "/campaigns/",
    "Lists the campaigns of the location.",
    field("status", "Status", Literal["draft", "published"]),
    name="listCampaigns",
    items="campaigns",
)
workflow = _listing(
    "List workflows",
    "/workflows/",
    "Lists the workflows of the location.",
    name="listWorkflows",
    items="workflows",
)
form = _listing(
    "List forms",
    "/forms/",
    "Lists the forms of the location.",
    field("type", "Folder or form", Literal["folder"], advanced=True),
    name="listForms",
    items="forms",
    size=50,
)
survey = _listing(
    "List surveys",
    "/surveys/",
    "Lists the surveys of the location.",
    field("type", "Folder or survey", Literal["folder"], advanced=True),
    name="listSurveys",
    items="surveys",
    size=50,
)
link = _listing(
    "List trigger links",
    "/links/",
    "Lists the trigger links of the location.",
    name="listLinks",
    items="links",
)


@highlevel.search("List pipeline stages", name="listPipelineStages")
def stage(
    pipeline_id: Annotated[
        str,
        Field(label="Pipeline", help="Empty: all of them.", key="pipelineId", options=pipeline),
    ] = "",
) -> Flow:
    """Lists the stages of pipelines; `fullName` says pipeline and stage."""
    answer = yield Request(
        "GET",
        "/opportunities/pipelines",
        query={"locationId": LOCATION},
        headers={"Version": V3},
    )
    found: list[dict[str, Any]] = []
    for each in answer.json().get("pipelines") or ():
        if pipeline_id not in ("", each.get("id")):
            continue
        for row in each.get("stages") or ():
            named = f"{each.get('name', '')}: {row.get('name', '')}"
            more = {"pipelineId": each.get("id"), "pipelineName": each.get("name")}
            found.append({**row, **more, "fullName": named})
    return found


@highlevel.search("List free times", name="listFreeTimes")
def free_time(
    calendar_id: Annotated[str, Field(label="Calendar", key="calendarId", options=calendar)],
    start_date: Annotated[datetime, Field(label="From", key="startDate")],
    end_date: Annotated[datetime, Field(label="To", key="endDate")],
    timezone: Annotated[str, Field(label="Time zone", example="America/Chihuahua")] = "",
) -> Flow:
    """Lists the free times of a calendar, each with `start` and `day`.

    The span may be 31 days at most.
    """
    query = {"startDate": str(millis(start_date)), "endDate": str(millis(end_date))}
    if timezone:
        query["timezone"] = timezone
    where = path("calendars", calendar_id, "free-slots")
    answer = yield Request("GET", where, query=query, headers={"Version": V3})
    days = answer.json()
    return [
        {"start": start, "day": day}
        for day, row in (sorted(days.items()) if isinstance(days, dict) else ())
        if isinstance(row, dict)
        for start in row.get("slots") or ()
    ]
