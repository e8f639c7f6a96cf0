"""Conversations and their messages: SMS, e-mail, WhatsApp, chat, and calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from junctor.connectors.highlevel import lists, probes
from junctor.connectors.highlevel.account import LOCATION, V3, highlevel
from junctor.connectors.highlevel.fields import PHONE_HELP, contact_id
from junctor.connectors.highlevel.table import (
    address,
    field,
    flag,
    limit_of,
    moment,
    need,
    operation,
    seconds,
    texts,
)
from junctor.errors import DataError
from junctor.language.connector import Field, Flow, Paging, Request
from junctor.language.files import IN_MEMORY, LARGEST

__all__ = ["newest_conversations"]

PAGE = 100
MESSAGE = need("messageId", "Message ID")
Delivered = Literal["delivered", "failed", "pending", "read"]
Exported = Literal["Call", "SMS", "Email", "WhatsApp", "Instagram", "Facebook"]
Direction = Literal["inbound", "outbound"]

# Conversations


@highlevel.search("Search conversations", limit_field="limit")
def search_conversations(
    query: Annotated[str, Field(label="Search for")] = "",
    contact: Annotated[str, Field(label="Contact ID", key="contactId")] = "",
    assigned_to: Annotated[
        str,
        Field(
            label="Assigned to",
            help="`unassigned`: those of nobody.",
            key="assignedTo",
            options=lists.user,
        ),
    ] = "",
    status: Annotated[
        Literal["all", "read", "unread", "starred", "recents"] | None, Field(label="Status")
    ] = None,
    last_message_type: Annotated[
        str,
        Field(
            label="Kind of the last message",
            key="lastMessageType",
            example="TYPE_SMS",
            advanced=True,
        ),
    ] = "",
    last_message_direction: Annotated[
        Direction | None,
        Field(label="Direction of the last message", key="lastMessageDirection", advanced=True),
    ] = None,
    last_message_action: Annotated[
        Literal["automated", "manual"] | None,
        Field(label="Last outbound message", key="lastMessageAction", advanced=True),
    ] = None,
    followers: Annotated[str, Field(label="Followed by", options=lists.user, advanced=True)] = "",
    mentions: Annotated[str, Field(label="That mention", options=lists.user, advanced=True)] = "",
    sort: Annotated[Literal["asc", "desc"] | None, Field(label="Order", advanced=True)] = None,
    sort_by: Annotated[
        Literal["last_manual_message_date", "last_message_date", "score_profile"] | None,
        Field(label="Sort by", key="sortBy", advanced=True),
    ] = None,
    limit: lists.Limit = 100,
    location_id: lists.LocationId = "",
) -> Flow:
    """Finds conversations, those with the newest messages first."""
    given: dict[str, Any] = {
        "query": query,
        "contactId": contact,
        "assignedTo": assigned_to,
        "status": status,
        "lastMessageType": last_message_type,
        "lastMessageDirection": last_message_direction,
        "lastMessageAction": last_message_action,
        "followers": followers,
        "mentions": mentions,
        "sort": sort,
        "sortBy": sort_by,
    }
    wanted = {key: value for key, value in given.items() if value}
    return (yield from _conversations(wanted, limit, location_id))


def _conversations(wanted: dict[str, Any], limit: int, location_id: str = "") -> Flow:
    found: list[dict[str, Any]] = []
    known: set[Any] = set()
    place: dict[str, Any] = {}
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        answer = yield Request(
            "GET",
            "/conversations/search",
            query={"locationId": location_id or LOCATION, "limit": size, **wanted, **place},
            headers={"Version": V3},
        )
        rows = answer.json().get("conversations") or []
        # A page may begin with conversations of the very instant that the one before ended with.
        fresh = [row for row in rows if row.get("id") not in known]
        found += fresh
        known |= {row.get("id") for row in fresh}
        last = (rows[-1].get("sort") or [rows[-1].get("lastMessageDate")])[0] if rows else None
        if len(rows) < size or not last or not fresh:
            break
        place = {"startAfterDate": last}
    return found[:limit]


def newest_conversations(limit: int, direction: str = "", kind: str = "") -> Flow:
    """Conversations by their last message, newest first."""
    wanted = {
        "sort": "desc",
        "sortBy": "last_message_date",
        "lastMessageDirection": direction,
        "lastMessageType": kind,
    }
    return (yield from _conversations({k: v for k, v in wanted.items() if v}, limit))


CONVERSATION = need(
    "conversationId", "Conversation ID", options=search_conversations, option_label="fullName"
)
operation(
    "Get a conversation",
    "GET",
    "/conversations/{conversationId}",
    "Gives a conversation by its ID.",
    CONVERSATION,
    name="getConversation",
)
operation(
    "Create a conversation",
    "POST",
    "/conversations/",
    "Opens a conversation with a contact.",
    contact_id(),
    name="createConversation",
    probe=probes.CONVERSATION,
    items="conversation",
    location="body",
)
operation(
    "Update a conversation",
    "PUT",
    "/conversations/{conversationId}",
    "Stars a conversation, or sets how many messages are unread.",
    CONVERSATION,
    field("unreadCount", "Unread messages", int, minimum=0),
    flag("starred", "Starred"),
    field("feedback", "Feedback", Literal["positive", "negative"], advanced=True),
    name="updateConversation",
    items="conversation",
    location="body",
)
operation(
    "Delete a conversation",
    "DELETE",
    "/conversations/{conversationId}",
    "Deletes a conversation.",
    CONVERSATION,
    name="deleteConversation",
)

# Messages


@highlevel.search("List messages of a conversation", limit_field="limit")
def list_messages(
    conversation: Annotated[
        str,
        Field(
            label="Conversation ID",
            key="conversationId",
            options=search_conversations,
            option_label="fullName",
        ),
    ],
    kinds: Annotated[
        list[str],
        Field(label="Kinds", help="Such as TYPE_SMS, TYPE_CALL; none: all.", key="type"),
    ] = [],  # noqa: B006  # a form's default; `bind` copies it
    limit: lists.Limit = 100,
) -> Flow:
    """Lists the messages of a conversation, newest first."""
    found: list[dict[str, Any]] = []
    place: dict[str, Any] = {"type": ",".join(kinds)} if kinds else {}
    while len(found) < limit:
        answer = yield Request(
            "GET",
            _messages_of(conversation),
            query={"limit": min(PAGE, limit - len(found)), **place},
            headers={"Version": V3},
        )
        content = answer.json()
        # The specification nests the page below `messages`; the list has the same name in it.
        page = content.get("messages")
        inner = page if isinstance(page, dict) else content
        rows = inner.get("messages") or []
        found += rows
        last = inner.get("lastMessageId")
        if not rows or not inner.get("nextPage") or not last:
            break
        if last == place.get("lastMessageId"):
            raise DataError(reason=f"HighLevel's next page repeats: {last}")
        place["lastMessageId"] = last
    return found[:limit]


def _messages_of(conversation: str) -> str:
    return address("/conversations/{id}/messages", {"id": conversation})


operation(
    "Get a message",
    "GET",
    "/conversations/messages/{id}",
    "Gives a message by its ID.",
    need("id", "Message ID"),
    name="getMessage",
)
operation(
    "Get an e-mail",
    "GET",
    "/conversations/messages/email/{id}",
    "Gives an e-mail by its ID.",
    need("id", "E-mail message ID"),
    name="getEmail",
)
operation(
    "Send a message",
    "POST",
    "/conversations/messages",
    "Sends a contact an SMS, an e-mail or a message by another channel, now or later.",
    need(
        "type",
        "Channel",
        Literal["SMS", "RCS", "Email", "WhatsApp", "IG", "FB", "Custom", "Live_Chat", "TIKTOK"],
    ),
    contact_id(),
    field("message", "Text", multiline=True),
    field("html", "HTML", help="Of an e-mail.", multiline=True),
    field("subject", "Subject", help="Of an e-mail."),
    texts("attachments", "Attachments", help="Addresses of files.", advanced=True),
    field("fromNumber", "From number", format="phone", help=PHONE_HELP, advanced=True),
    field("toNumber", "To number", format="phone", help=PHONE_HELP, advanced=True),
    field("emailFrom", "From e-mail", advanced=True),
    field("emailTo", "To e-mail", help="One of the contact's.", advanced=True),
    texts("emailCc", "Cc", advanced=True),
    texts("emailBcc", "Bcc", advanced=True),
    field("emailReplyMode", "Reply to", Literal["reply", "reply_all"], advanced=True),
    field("replyMessageId", "Reply to message ID", advanced=True),
    field("threadId", "Thread ID", advanced=True),
    field("templateId", "Template ID", advanced=True),
    field("appointmentId", "Appointment ID", advanced=True),
    field("conversationProviderId", "Provider ID", advanced=True),
    field("subType", "Subtype", advanced=True),
    field("customSubtypeId", "Own subtype ID", advanced=True),
    field("status", "Status", Delivered, advanced=True),
    moment("scheduledTimestamp", "Send at", sent=seconds, advanced=True),
    field("forward", "Forward", dict[str, Any], advanced=True),
    flag("usesNativeSchedulingAi", "Let AI choose the time", advanced=True),
    field("optimizationPeriod", "Within", Literal["24h", "48h", "72h"], advanced=True),
    name="sendMessage",
    probe=probes.MESSAGE,
)
_CALL = field(
    "call",
    "Call",
    dict[str, Any],
    help="`to`, `from`, and `status`: pending, completed, answered, busy, no-answer, failed, "
    "canceled or voicemail.",
)
_PROVIDER = field(
    "conversationProviderId",
    "Provider ID",
    help="Of your conversation provider; needed for kinds of your own.",
)
operation(
    "Add an inbound message",
    "POST",
    "/conversations/messages/inbound",
    "Writes a message that came by another way into a conversation. Nothing is sent.",
    need(
        "type",
        "Kind",
        Literal[
            "SMS",
            "RCS",
            "Email",
            "WhatsApp",
            "GMB",
            "IG",
            "FB",
            "Custom",
            "WebChat",
            "Live_Chat",
            "Call",
            "TIKTOK",
            "ALL_IN_ONE_CHAT",
        ],
    ),
    field("conversationId", "Conversation ID"),
    contact_id(required=False),
    _PROVIDER,
    field("message", "Text", multiline=True),
    field("html", "HTML", multiline=True, advanced=True),
    field("subject", "Subject", advanced=True),
    texts("attachments", "Attachments", help="Addresses of files.", advanced=True),
    field("emailFrom", "From e-mail", advanced=True),
    field("emailTo", "To e-mail", advanced=True),
    texts("emailCc", "Cc", advanced=True),
    texts("emailBcc", "Bcc", advanced=True),
    field("emailMessageId", "E-mail message ID", advanced=True),
    field("altId", "ID at the provider", advanced=True),
    field("direction", "Direction", Direction, advanced=True),
    moment("date", "Date", advanced=True),
    _CALL,
    name="addInboundMessage",
    probe=probes.INBOUND_MESSAGE,
    one_of=("conversationId", "contactId"),
)
operation(
    "Add an outbound call",
    "POST",
    "/conversations/messages/outbound",
    "Writes a call that was made by another way into a conversation.",
    field("type", "Kind", Literal["Call"], default="Call"),
    CONVERSATION,
    _PROVIDER,
    _CALL,
    texts("attachments", "Attachments", help="Addresses of files.", advanced=True),
    field("altId", "ID at the provider", advanced=True),
    moment("date", "Date", advanced=True),
    name="addOutboundCall",
    probe=probes.OUTBOUND_CALL,
)
operation(
    "Set the status of a message",
    "PUT",
    "/conversations/messages/{messageId}/status",
    "Says what became of a message that your provider delivers.",
    MESSAGE,
    need("status", "Status", Delivered),
    field("error", "Error", dict[str, Any], help="`code`, `type`, `message`.", advanced=True),
    field("emailMessageId", "E-mail message ID", advanced=True),
    texts("recipients", "Recipients", advanced=True),
    name="setMessageStatus",
)
operation(
    "Add attachments to a message",
    "PUT",
    "/conversations/messages/{messageId}/attachments",
    "Adds files to a message.",
    MESSAGE,
    texts("attachments", "Attachments", required=True, help="Addresses of files."),
    name="addMessageAttachments",
)
operation(
    "Cancel a scheduled message",
    "DELETE",
    "/conversations/messages/{messageId}/schedule",
    "Takes back a message that is to be sent later.",
    MESSAGE,
    name="cancelScheduledMessage",
)
operation(
    "Cancel a scheduled e-mail",
    "DELETE",
    "/conversations/messages/email/{emailMessageId}/schedule",
    "Takes back an e-mail that is to be sent later.",
    need("emailMessageId", "E-mail message ID"),
    name="cancelScheduledEmail",
)
operation(
    "Export messages",
    "GET",
    "/conversations/messages/export",
    "Lists the messages of the location, of all conversations or of one.",
    field("conversationId", "Conversation ID"),
    contact_id(required=False),
    field("channel", "Channel", Exported),
    moment("startDate", "From"),
    moment("endDate", "To"),
    field("sortBy", "Sort by", Literal["createdAt", "updatedAt"], advanced=True),
    field("sortOrder", "Order", Literal["asc", "desc"], advanced=True),
    limit_of(),
    name="exportMessages",
    items="messages",
    search=True,
    location="query",
    # A page has ten rows at least: it is asked for whole, whatever the limit.
    paging=Paging(style="cursor", param="cursor", next_key="nextCursor", limit_param=""),
)
operation(
    "Get the transcription of a call",
    "GET",
    "/conversations/locations/{locationId}/messages/{messageId}/transcription",
    "Gives what was said in a recorded call, sentence by sentence.",
    MESSAGE,
    name="getTranscription",
    location="path",
)


def _download(template: str, about: str) -> Callable[..., Any]:
    def function(
        message_id: Annotated[str, Field(label="Message ID", key="messageId")],
    ) -> Flow:
        where = address(template, {"messageId": message_id, "locationId": LOCATION})
        answer = yield Request(
            "GET", where, headers={"Version": V3}, max_bytes=LARGEST, keep_above=IN_MEMORY
        )
        kind = answer.headers.get("content-type", "")
        return {
            "fileName": f"{message_id}{_SUFFIXES.get(kind.partition(';')[0].strip(), '')}",
            "contentType": kind,
            "data": answer.content(),
        }

    function.__doc__ = about
    return function


_SUFFIXES = {"audio/x-wav": ".wav", "audio/wav": ".wav", "audio/mpeg": ".mp3", "text/plain": ".txt"}
for _label, _name, _template, _help in (
    (
        "Download the transcription of a call",
        "downloadTranscription",
        "/conversations/locations/{locationId}/messages/{messageId}/transcription/download",
        "Gives what was said in a recorded call, as a text file.",
    ),
    (
        "Download the recording of a call",
        "downloadRecording",
        "/conversations/messages/{messageId}/locations/{locationId}/recording",
        "Gives the recording of a call or voicemail as a file.",
    ),
):
    highlevel.action(_label, effect="read", name=_name)(_download(_template, _help))

operation(
    "Show that an agent is typing",
    "POST",
    "/conversations/providers/live-chat/typing",
    "Shows the visitor of a live chat that someone is typing.",
    CONVERSATION,
    need("visitorId", "Visitor ID"),
    need("isTyping", "Typing", bool),
    name="showTyping",
    effect="idempotent",
    location="body",
)
