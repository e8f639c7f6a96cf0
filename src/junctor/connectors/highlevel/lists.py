"""What pick-lists are made of: everything of a location that other fields name by an ID."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.table import field, limit_of, location, operation
from junctor.language.connector import Field, Flow, Paging, Request

__all__ = [
    "business",
    "calendar",
    "calendar_group",
    "campaign",
    "custom_field",
    "custom_value",
    "form",
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

SKIP = Paging(style="skip", param="skip")

user = operation(
    "List users",
    "GET",
    "/users/",
    "Lists the people of the location.\n\nThe vendor calls this operation deprecated; its "
    "successor, *Search users*, needs the agency's ID.",
    name="listUsers",
    items="users",
    search=True,
    location="query",
    version="2021-07-28",
)
tag = operation(
    "List tags",
    "GET",
    "/locations/{locationId}/tags",
    "Lists all tags of the location.",
    name="listTags",
    items="tags",
    search=True,
    location="path",
)
calendar = operation(
    "List calendars",
    "GET",
    "/calendars/",
    "Lists the calendars of the location.",
    field("groupId", "Group ID", advanced=True),
    field("showDrafted", "With drafts", bool, default=None, advanced=True),
    name="listCalendars",
    items="calendars",
    search=True,
    location="query",
)
calendar_group = operation(
    "List calendar groups",
    "GET",
    "/calendars/groups",
    "Lists the groups of calendars.",
    name="listCalendarGroups",
    items="groups",
    search=True,
    location="query",
)
custom_field = operation(
    "List custom fields",
    "GET",
    "/locations/{locationId}/customFields",
    "Lists the custom fields of contacts or opportunities, with their IDs and keys.",
    field("model", "Of", Literal["contact", "opportunity", "all"]),
    name="listCustomFields",
    items="customFields",
    search=True,
    location="path",
)
custom_value = operation(
    "List custom values",
    "GET",
    "/locations/{locationId}/customValues",
    "Lists the custom values of the location.",
    name="listCustomValues",
    items="customValues",
    search=True,
    location="path",
)
business = operation(
    "List businesses",
    "GET",
    "/businesses/",
    "Lists the businesses (companies) of the location.",
    limit_of(),
    name="listBusinesses",
    items="businesses",
    search=True,
    location="query",
    paging=SKIP,
)
pipeline = operation(
    "List pipelines",
    "GET",
    "/opportunities/pipelines",
    "Lists the pipelines of opportunities, each with its stages.",
    name="listPipelines",
    items="pipelines",
    search=True,
    location="query",
)
lost_reason = operation(
    "List lost reasons",
    "GET",
    "/opportunities/lost-reason",
    "Lists the reasons for which opportunities are lost.",
    field("query", "Search for"),
    limit_of(),
    name="listLostReasons",
    items="lostReasons",
    search=True,
    location="query",
    paging=SKIP,
)
campaign = operation(
    "List campaigns",
    "GET",
    "/campaigns/",
    "Lists the campaigns of the location.",
    field("status", "Status", Literal["draft", "published"]),
    name="listCampaigns",
    items="campaigns",
    search=True,
    location="query",
)
workflow = operation(
    "List workflows",
    "GET",
    "/workflows/",
    "Lists the workflows of the location.",
    name="listWorkflows",
    items="workflows",
    search=True,
    location="query",
)
form = operation(
    "List forms",
    "GET",
    "/forms/",
    "Lists the forms of the location.",
    field("type", "Folder or form", Literal["folder"], advanced=True),
    limit_of(),
    name="listForms",
    items="forms",
    search=True,
    location="query",
    paging=Paging(style="skip", param="skip", size=50),
)
survey = operation(
    "List surveys",
    "GET",
    "/surveys/",
    "Lists the surveys of the location.",
    field("type", "Folder or survey", Literal["folder"], advanced=True),
    limit_of(),
    name="listSurveys",
    items="surveys",
    search=True,
    location="query",
    paging=Paging(style="skip", param="skip", size=50),
)
link = operation(
    "List trigger links",
    "GET",
    "/links/",
    "Lists the trigger links of the location.",
    name="listLinks",
    items="links",
    search=True,
    location="query",
)


@highlevel.search("List pipeline stages", name="listPipelineStages")
def stage(
    pipeline_id: Annotated[
        str, Field(label="Pipeline", help="Empty: all.", key="pipelineId", options=pipeline)
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
        if pipeline_id and each.get("id") != pipeline_id:
            continue
        for row in each.get("stages") or ():
            named = f"{each.get('name', '')}: {row.get('name', '')}"
            more = {"pipelineId": each.get("id"), "pipelineName": each.get("name")}
            found.append({**row, **more, "fullName": named})
    return found
