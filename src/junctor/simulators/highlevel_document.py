"""What the operations of a simulated HighLevel location take, for its OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junctor.simulators import checks
from junctor.simulators import highlevel_calendars as calendars
from junctor.simulators.describe import Description, Taken
from junctor.simulators.highlevel_around import FIELD
from junctor.simulators.highlevel_contacts import CREATE, UPDATE, UPSERT
from junctor.simulators.highlevel_more import CHANGED, OPPORTUNITY
from junctor.simulators.highlevel_rows import KINDS, Kind, shape
from junctor.simulators.highlevel_search import SEARCH
from junctor.simulators.highlevel_state import APPOINTMENT, APPOINTMENT_REQUIRED, NOTE, TASK
from junctor.simulators.highlevel_talk import CAME, SENT

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["described"]

_PAGE = ("limit", "skip", "offset", "page")
_SPAN = ("locationId", "calendarId", "userId", "groupId", "startTime", "endTime")


def described(sim: HighLevelAccount) -> Description:
    """The description, with what the location holds now."""
    return Description(
        security={"token": {"type": "http", "scheme": "bearer"}},
        headers={"Version": ()},
        taken={
            **_contacts(),
            **_around(),
            **_opportunities(),
            **_calendars(),
            **_talk(),
            **_rows(),
        },
        known=_known(sim),
        open=frozenset({"authorize", "get-access-token"}),
    )


def _of(fields: str, query: tuple[str, ...] = ()) -> Taken:
    body, required = shape(fields)
    return Taken(query=query, body=body, required=required)


def _contacts() -> dict[str, Taken]:
    return {
        "search-contacts-advanced": Taken(body=SEARCH, required=("locationId", "pageLimit")),
        "get-duplicate-contact": Taken(query=("locationId", "email", "number")),
        "get-contacts": Taken(query=("locationId", "limit", "query", "startAfterId")),
        "create-contact": Taken(body=CREATE, required=("locationId",)),
        "upsert-contact": Taken(body=UPSERT, required=("locationId",)),
        "update-contact": Taken(body=UPDATE),
        **dict.fromkeys(
            ("add-tags", "remove-tags"), Taken(body={"tags": checks.texts}, required=("tags",))
        ),
        "create-note": Taken(body=NOTE, required=("body",)),
        "update-note": Taken(body=NOTE),
        "create-task": Taken(body=TASK, required=("title", "dueDate", "completed")),
        "update-task": Taken(body=TASK),
        "update-task-completed": Taken(body={"completed": checks.boolean}, required=("completed",)),
        **dict.fromkeys(("get-calendars", "get-user-by-location"), Taken(query=("locationId",))),
    }


def _around() -> dict[str, Taken]:
    return {
        "get-contacts-by-businessId": Taken(query=("locationId", *_PAGE)),
        "add-remove-contact-from-business": _of("locationId* ids[]* businessId"),
        "create-association": _of("contacts[]* tags[]* locationId* removeAllTags?"),
        **dict.fromkeys(("add-followers-contact", "remove-followers-contact"), _of("followers[]*")),
        **dict.fromkeys(("create-tag", "update-tag"), _of("name*")),
        "create-custom-field": _of(FIELD.replace("dataType", "dataType*")),
        "update-custom-field": _of(FIELD),
        "task-search": _of("contactId[] completed? assignedTo[] query limit# skip# businessId"),
        "get-access-token": Taken(
            body=dict.fromkeys(
                (
                    *("client_id", "client_secret", "grant_type", "code", "refresh_token"),
                    *("redirect_uri", "user_type", "code_verifier"),
                ),
                checks.text,
            ),
            required=("client_id", "client_secret", "grant_type"),
            form=True,
        ),
        "get-location-access-token": Taken(
            body={"companyId": checks.text, "locationId": checks.text},
            required=("companyId", "locationId"),
            form=True,
        ),
        "authorize": Taken(
            query=("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge")
        ),
        "get-installed-location": Taken(query=("companyId", "appId")),
    }


def _opportunities() -> dict[str, Taken]:
    more = " id followers[] isRemoveAllFollowers? followersActionType lostReasonId"
    return {
        "get-pipelines": Taken(query=("locationId",)),
        "search-opportunity": Taken(
            query=(
                *("locationId", "q", "limit", "startAfterId", "pipelineId", "pipelineStageId"),
                *("contactId", "status"),
            )
        ),
        "search-opportunities-advanced": _of(
            "locationId* query limit# page# searchAfter{} additionalDetails{}"
        ),
        "create-opportunity": _of(OPPORTUNITY),
        "upsert-opportunity": Taken(
            body=shape(OPPORTUNITY + more)[0], required=("pipelineId", "locationId")
        ),
        "update-opportunity": _of(CHANGED),
        "update-opportunity-status": _of("status* lostReasonId"),
    }


def _calendars() -> dict[str, Taken]:
    moved = {k: c for k, c in APPOINTMENT.items() if k not in {"locationId", "contactId"}}
    return {
        "create-appointment": Taken(body=APPOINTMENT, required=APPOINTMENT_REQUIRED),
        "edit-appointment": Taken(body=moved),
        "get-calendar-events": Taken(query=_SPAN),
        "get-blocked-slots": Taken(query=_SPAN),
        "get-slots": Taken(query=("startDate", "endDate")),
        "create-calendar": Taken(body=calendars.CREATED, required=("locationId", "name")),
        "update-calendar": Taken(body=calendars.CHANGED),
        "disable-group": _of("isActive?*"),
        "validate-groups-slug": _of("locationId* slug*"),
        **dict.fromkeys(
            ("create-appointment-note", "update-appointment-note"), _of("body* userId")
        ),
        "create-block-slot": _of("title calendarId assignedUserId locationId* startTime* endTime*"),
        "get-forms-submissions": Taken(query=("locationId", "formId", "startAt", *_PAGE)),
        "get-surveys-submissions": Taken(query=("locationId", "surveyId", "startAt", *_PAGE)),
    }


def _talk() -> dict[str, Taken]:
    return {
        "search-conversation": Taken(
            query=("locationId", "contactId", "limit", "startAfterDate", "lastMessageDirection")
        ),
        "create-conversation": _of("locationId* contactId*"),
        "update-conversation": _of("locationId* unreadCount# starred? feedback"),
        "get-messages": Taken(query=("limit", "lastMessageId", "type")),
        "send-a-new-message": _of(SENT),
        "add-an-inbound-message": _of(CAME),
        "add-an-outbound-message": _of(CAME),
        "export-messages-by-location": Taken(query=("locationId", "limit", "cursor", "contactId")),
        "filter-users-by-email": _of("companyId* emails* deleted? skip limit projection"),
        **dict.fromkeys(
            ("add-followers-opportunity", "remove-followers-opportunity"), _of("followers[]*")
        ),
        "update-message-attachments": _of("attachments[]*"),
        "live-chat-agent-typing": _of("locationId* isTyping{}* visitorId* conversationId*"),
        "update-message-status": _of("status* error{} emailMessageId recipients[]"),
    }


def _rows() -> dict[str, Taken]:
    found: dict[str, Taken] = {}
    for kind in KINDS:
        word = kind.word.lower().replace(" ", "-")
        found[f"get-{word}"] = _listed(kind)
        if kind.changes:
            found[f"post-{word}"] = _of(kind.fields)
            found[f"put-{word}"] = Taken(body=shape(kind.fields)[0])
    return found


def _listed(kind: Kind) -> Taken:
    return Taken(query=_PAGE if "{locationId}" in kind.path else ("locationId", *_PAGE))


def _known(sim: HighLevelAccount) -> dict[str, list[str]]:
    state, more, talk = sim.state, sim.more, sim.talk
    segments = {kind.path.rstrip("/").rpartition("/")[2]: kind.path for kind in KINDS}
    ids = {segment: list(more.kinds[path].rows)[:8] for segment, path in segments.items()}
    stages = [stage["id"] for each in more.pipelines for stage in each["stages"]]
    conversations = list(talk.conversations.rows)[:8]
    return {
        **ids,
        "workflow": ids["workflows"],
        "contactId": list(state.contacts.rows)[:8],
        "locationId": [sim.location_id],
        "notes": list(state.notes.rows)[:8],
        "tasks": list(state.tasks.rows)[:8],
        "appointments": list(state.appointments)[:8],
        "events": list(state.appointments)[:8],
        "calendarId": [row["id"] for row in state.calendars],
        "tags": [row["id"] for row in state.tags()][:8],
        "customFields": [row["id"] for row in state.custom_fields],
        "opportunities": list(more.opportunities.rows)[:8],
        "pipelineId": [row["id"] for row in more.pipelines],
        "pipelineStageId": stages,
        "status": ["open", "won"],
        "conversations": conversations,
        "conversationId": conversations,
        "messages": list(talk.messages.rows)[:8],
        "contacts": list(state.contacts.rows)[:8],
        "type": ["SMS", "Email", "add", "remove"],
        "startTime": ["1700000000000", "2026-01-05T10:00:00Z"],
        "endTime": ["1900000000000"],
        "startDate": ["1790000000000"],
        "endDate": ["1790400000000"],
        "limit": ["1", "20"],
        "grant_type": ["authorization_code", "refresh_token"],
    }
