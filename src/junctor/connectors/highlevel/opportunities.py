"""Opportunities: deals in the stages of pipelines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.fields import (
    contact_id,
    custom,
    pipeline_id,
    stage_id,
    user_id,
)
from junctor.connectors.highlevel.table import field, flag, need, number, operation, texts
from junctor.errors import DataError
from junctor.language.connector import Field, Flow, Request

__all__ = ["newest_opportunities", "search_opportunities"]

PAGE = 100
Status = Literal["open", "won", "lost", "abandoned"]


@highlevel.search("Search opportunities", limit_field="limit")
def search_opportunities(
    query: Annotated[str, Field(label="Search for", key="q")] = "",
    pipeline: Annotated[
        str, Field(label="Pipeline", key="pipelineId", options=lists.pipeline)
    ] = "",
    stage: Annotated[
        str,
        Field(
            label="Stage",
            key="pipelineStageId",
            options=lists.stage,
            option_label="fullName",
        ),
    ] = "",
    status: Annotated[
        Literal["open", "won", "lost", "abandoned", "all"] | None, Field(label="Status")
    ] = None,
    contact: Annotated[str, Field(label="Contact ID", key="contactId")] = "",
    assigned_to: Annotated[
        str, Field(label="Assigned to", key="assignedTo", options=lists.user)
    ] = "",
    campaign: Annotated[
        str, Field(label="Campaign", key="campaignId", options=lists.campaign, advanced=True)
    ] = "",
    order: Annotated[str, Field(label="Order", help="Such as `added_asc`.", advanced=True)] = "",
    date: Annotated[str, Field(label="From", help="As mm-dd-yyyy.", advanced=True)] = "",
    end_date: Annotated[
        str, Field(label="To", help="As mm-dd-yyyy.", key="endDate", advanced=True)
    ] = "",
    with_tasks: Annotated[
        bool | None, Field(label="With tasks", key="getTasks", advanced=True)
    ] = None,
    with_notes: Annotated[
        bool | None, Field(label="With notes", key="getNotes", advanced=True)
    ] = None,
    with_events: Annotated[
        bool | None, Field(label="With appointments", key="getCalendarEvents", advanced=True)
    ] = None,
    limit: lists.Limit = 100,
    location_id: lists.LocationId = "",
) -> Flow:
    """Finds opportunities by text, pipeline, stage, status, contact and person."""
    given: dict[str, Any] = {
        "q": query,
        "pipelineId": pipeline,
        "pipelineStageId": stage,
        "status": status,
        "contactId": contact,
        "assignedTo": assigned_to,
        "campaignId": campaign,
        "order": order,
        "date": date,
        "endDate": end_date,
        "getTasks": with_tasks and "true",
        "getNotes": with_notes and "true",
        "getCalendarEvents": with_events and "true",
    }
    wanted = {key: value for key, value in given.items() if value}
    return (yield from _pages(wanted, limit, location_id))


def _pages(wanted: dict[str, Any], limit: int, location_id: str = "") -> Flow:
    found: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        answer = yield Request(
            "GET",
            "/opportunities/search",
            query={"locationId": location_id or LOCATION, "limit": size, **wanted, **place},
            headers={"Version": V3},
        )
        content = answer.json()
        rows = content.get("opportunities") or []
        found += rows
        meta = content.get("meta") or {}
        after = {key: meta.get(key) for key in ("startAfter", "startAfterId")}
        if len(rows) < size or not all(after.values()):
            break
        if after == place:
            raise DataError(reason=f"HighLevel's next page repeats: {after}")
        place = after
    return found[:limit]


def newest_opportunities(limit: int, pipeline: str = "") -> Flow:
    """Opportunities, newest first."""
    wanted = {"order": "added_desc", "pipelineId": pipeline}
    return (yield from _pages({key: value for key, value in wanted.items() if value}, limit))


WHICH = need("id", "Opportunity ID", options=search_opportunities)
operation(
    "Search opportunities (advanced)",
    "POST",
    "/opportunities/search",
    "Finds opportunities by text, one page at a time, with notes, tasks and more.",
    field("query", "Search for"),
    field("limit", "Limit", int, default=20, minimum=1, maximum=100),
    field("page", "Page", int, default=1, minimum=1),
    field(
        "searchAfter",
        "Search after",
        list[Any],
        help="The `sort` of the last opportunity of the page before.",
        advanced=True,
    ),
    field(
        "additionalDetails",
        "With",
        dict[str, bool],
        help="`notes`, `tasks`, `calendarEvents`, `unReadConversations`: true.",
        advanced=True,
    ),
    name="searchOpportunitiesAdvanced",
    items="opportunities",
    search=True,
    location="body",
)
operation(
    "Get an opportunity",
    "GET",
    "/opportunities/{id}",
    "Gives an opportunity by its ID.",
    WHICH,
    name="getOpportunity",
    items="opportunity",
)
_MORE = (
    number("monetaryValue", "Value", help="In the currency of the location.", minimum=0),
    user_id("assignedTo", "Assigned to"),
    field(
        "forecastExpectedCloseDate",
        "Expected to close",
        help="A day.",
        example="2026-12-31",
        advanced=True,
    ),
    number("forecastProbability", "Probability (%)", minimum=0, maximum=100, advanced=True),
)
operation(
    "Create an opportunity",
    "POST",
    "/opportunities/",
    "Creates an opportunity of a contact in a pipeline.",
    need("name", "Name"),
    contact_id(),
    pipeline_id(required=True),
    stage_id(),
    field("status", "Status", Status, default="open"),
    *_MORE,
    custom(),
    name="createOpportunity",
    probe=probes.OPPORTUNITY,
    items="opportunity",
    location="body",
)
operation(
    "Update an opportunity",
    "PUT",
    "/opportunities/{id}",
    "Changes the fields of an opportunity that are filled in.",
    WHICH,
    field("name", "Name"),
    pipeline_id(),
    stage_id(),
    field("status", "Status", Status),
    *_MORE,
    custom(),
    name="updateOpportunity",
    items="opportunity",
)
operation(
    "Create or update an opportunity",
    "POST",
    "/opportunities/upsert",
    "Updates the opportunity with this ID, or creates one; says which in `new`.",
    field("id", "Opportunity ID", help="Empty: a new one.", options=search_opportunities),
    pipeline_id(required=True),
    field("name", "Name"),
    stage_id(),
    field("status", "Status", Status),
    *_MORE,
    field("lostReasonId", "Lost reason", options=lists.lost_reason, advanced=True),
    texts("followers", "Followers", options=lists.user, advanced=True),
    field("followersActionType", "Followers are", Literal["add", "remove"], default="add"),
    field("isRemoveAllFollowers", "Remove all followers", bool, default=False, advanced=True),
    name="upsertOpportunity",
    probe=probes.UPSERTED_OPPORTUNITY,
    effect_of=lambda given: "idempotent" if given.get("id") else "once",
    location="body",
    always={"followers": []},
)
operation(
    "Set the status of an opportunity",
    "PUT",
    "/opportunities/{id}/status",
    "Marks an opportunity as open, won, lost or abandoned.",
    WHICH,
    need("status", "Status", Status),
    field("lostReasonId", "Lost reason", options=lists.lost_reason),
    name="setOpportunityStatus",
)
operation(
    "Delete an opportunity",
    "DELETE",
    "/opportunities/{id}",
    "Deletes an opportunity.",
    WHICH,
    name="deleteOpportunity",
)
operation(
    "Add followers to an opportunity",
    "POST",
    "/opportunities/{id}/followers",
    "Adds users of the location who follow an opportunity.",
    WHICH,
    texts("followers", "Users", required=True, options=lists.user),
    name="addOpportunityFollowers",
    effect="idempotent",
)
operation(
    "Remove followers from an opportunity",
    "DELETE",
    "/opportunities/{id}/followers",
    "Takes followers away from an opportunity.",
    WHICH,
    texts("followers", "Users", options=lists.user),
    flag("isRemoveAllFollowers", "All of them", at="query"),
    name="removeOpportunityFollowers",
    at="body",
    always={"followers": []},
)
