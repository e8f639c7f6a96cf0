"""Text messages: searching, sending, clearing and deleting them, and the trigger that polls."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from junctor.connectors.signalwire.account import BASE, LAML, said, signalwire
from junctor.connectors.signalwire.fields import (
    NEW,
    PAGES,
    Depth,
    Limit,
    When,
    day,
    needed,
    rows,
    when,
)
from junctor.connectors.signalwire.lists import (
    list_applications,
    list_number_groups,
    number_field,
)
from junctor.connectors.signalwire.probes import MESSAGE_SENT
from junctor.errors import BundleInvalid
from junctor.language.calls import add_api_call
from junctor.language.connector import Field, Flow, Request, path

MESSAGES = f"{LAML}/Messages"
LONGEST = 1600
"""Characters of a body; error 21617 beyond."""
MOST_MEDIA = 8

MessageStatus = Literal[
    "queued", "initiated", "sent", "failed", "delivered", "undelivered", "received"
]
_PRICE = re.compile(r"\d+\.?\d{0,4}")


@signalwire.search("Search messages", items="messages", paging=PAGES, limit_field="limit")
def search_messages(
    date_sent_type: Annotated[
        When, Field(label="Date sent is", key="dateSentType", help="Only with a date.")
    ] = "at",
    date_sent: Annotated[
        datetime | None,
        Field(label="Date sent", key="dateSent", help="Only its day counts, in UTC."),
    ] = None,
    from_: Annotated[str, number_field("From", "Messages from this number.")] = "",
    to: Annotated[str, number_field("To", "Messages to this number.")] = "",
    status: Annotated[MessageStatus | None, Field(label="Status")] = None,
    limit: Limit = 10,
) -> Request:
    """Gives messages sent and received, newest first."""
    del limit
    pairs = [("From", from_), ("To", to), ("Status", status)]
    if date_sent is not None:
        pairs.append(when("DateSent", date_sent_type, day(date_sent)))
    return Request("GET", MESSAGES, query=rows(*pairs))


MessageSid = Annotated[
    str,
    Field(
        label="Message SID",
        key="messageSid",
        options=search_messages,
        option_value="sid",
        option_label="body",
    ),
]


@signalwire.module(
    "Watch new messages",
    kind="trigger",
    effect="read",
    items="messages",
    paging=PAGES,
    limit_field="depth",
    poll=NEW,
)
def watch_new_messages(
    from_: Annotated[str, number_field("From", advanced=True)] = "",
    to: Annotated[str, number_field("To", advanced=True)] = "",
    status: Annotated[MessageStatus | None, Field(label="Status", advanced=True)] = None,
    limit: Limit = 10,
    depth: Depth = 1000,
) -> Request:
    """Starts when there is a new message, in or out.

    It looks by schedule; *Watch messages* hears of those that come in at once. Status *received*
    leaves out those that were sent.
    """
    del limit, depth
    return Request("GET", MESSAGES, query=rows(("From", from_), ("To", to), ("Status", status)))


@signalwire.action("Get a message", effect="read")
def get_message(message_sid: MessageSid) -> Request:
    """Gives a message: text, status, price, and why it failed if it did."""
    return Request("GET", MESSAGES + path(message_sid))


@signalwire.search("List a message's media", items="media_list", paging=PAGES, limit_field="limit")
def list_message_media(
    message_sid: MessageSid,
    date_created_type: Annotated[
        When,
        Field(label="Created is", key="dateCreatedType", help="Only with a date.", advanced=True),
    ] = "at",
    date_created: Annotated[
        datetime | None,
        Field(
            label="Created",
            key="dateCreated",
            help="Only its day counts, in UTC.",
            advanced=True,
        ),
    ] = None,
    limit: Limit = 10,
) -> Request:
    """Gives the files that came or went with a message."""
    del limit
    pairs = [when("DateCreated", date_created_type, day(date_created))] if date_created else []
    return Request("GET", MESSAGES + path(message_sid, "Media"), query=rows(*pairs))


@signalwire.action("Create a message", effect="once", probe=MESSAGE_SENT)
def create_message(
    to: Annotated[
        str,
        Field(
            label="To",
            help="Without a country code it belongs to the connection's country.",
            format="phone",
            example="+12025550142",
        ),
    ],
    from_: Annotated[
        str,
        number_field("From", "A number of the project that can send; or give a message service."),
    ] = "",
    content_type: Annotated[
        Literal["body", "mediaUrl", "both"] | None,
        Field(
            label="Content type",
            key="contentType",
            help="Text, media or both. Left empty, it is what is filled in.",
        ),
    ] = None,
    body: Annotated[
        str,
        Field(label="Body", help=f"Text of at most {LONGEST} characters.", multiline=True),
    ] = "",
    media_url: Annotated[
        list[str],
        Field(
            label="Media URLs",
            key="mediaUrl",
            help=f"Files to send, {MOST_MEDIA} at most; SignalWire fetches them.",
            example=["https://example.com/photo.jpg"],
        ),
    ] = [],  # noqa: B006  # a form's default; `bind` copies it
    application_sid: Annotated[
        str,
        Field(
            label="Application SID",
            key="applicationSid",
            help="A LaML application whose status callback is told of the message.",
            options=list_applications,
            option_value="sid",
            option_label="friendly_name",
            advanced=True,
        ),
    ] = "",
    max_price: Annotated[
        str,
        Field(
            label="Highest price",
            key="maxPrice",
            help="In US dollars, with at most four decimals; a dearer message is not sent.",
            example="0.02",
            advanced=True,
        ),
    ] = "",
    status_callback: Annotated[
        str,
        Field(
            label="Status callback",
            key="statusCallback",
            help="Told whenever the message's status changes; the address of a *Watch message "
            "status* trigger will do.",
            format="uri",
            advanced=True,
        ),
    ] = "",
    validity_period: Annotated[
        int | None,
        Field(
            label="Validity period",
            key="validityPeriod",
            help="Seconds that it may wait to be sent, then it is dropped; 14,400 if empty. Less "
            "than 5 is not wise.",
            minimum=1,
            maximum=172_800,
            advanced=True,
        ),
    ] = None,
    message_service_sid: Annotated[
        str,
        Field(
            label="Message service SID",
            key="messageServiceSid",
            help="A number group that chooses the number to send from; it counts before From.",
            options=list_number_groups,
            advanced=True,
        ),
    ] = "",
    send_as_mms: Annotated[
        bool | None,
        Field(
            label="Send as MMS",
            key="sendAsMms",
            help="Also where there is text only.",
            advanced=True,
        ),
    ] = None,
) -> Request:
    """Sends a text message, with or without media.

    It is queued at once; whether it was delivered is told by *Watch message status*.
    """
    text, media = _content(content_type, body, [url for url in media_url if url])
    if not from_ and not message_service_sid:
        raise BundleInvalid(
            field="from",
            reason="neither a number to send from nor a message service is given; give one",
        )
    if max_price and not _PRICE.fullmatch(max_price.strip()):
        raise BundleInvalid(
            field="maxPrice",
            reason=f"{max_price[:40]!r} is no price; write it like 0.02, with at most four "
            "decimals",
        )
    return Request(
        "POST",
        MESSAGES,
        form=rows(
            ("To", to),
            ("From", from_),
            ("Body", text),
            ("MediaUrl", media),
            ("ApplicationSid", application_sid),
            ("MaxPrice", max_price.strip()),
            ("StatusCallback", status_callback),
            ("ValidityPeriod", validity_period),
            ("MessagingServiceSid", message_service_sid),
            ("SendAsMms", send_as_mms),
        ),
    )


@signalwire.action("Clear a message's body", effect="idempotent")
def clear_message_body(message_sid: MessageSid) -> Request:
    """Removes the text of a message, and keeps its record. One still queued is refused."""
    return Request("POST", MESSAGES + path(message_sid), form=(("Body", ""),))


@signalwire.action("Delete a message", effect="idempotent")
def delete_message(message_sid: MessageSid) -> Flow:
    """Removes a message from the project's log. One still queued is refused."""
    yield Request("DELETE", MESSAGES + path(message_sid))
    return {"sid": message_sid, "deleted": True}


def _content(kind: str | None, body: str, media: list[str]) -> tuple[str, list[str]]:
    """Text and media that are sent."""
    text = "" if kind == "mediaUrl" else body
    files = [] if kind == "body" else media
    if kind in {"body", "both"}:
        needed("body", text, "the content type asks for a text; give one")
    if kind in {"mediaUrl", "both"}:
        needed("mediaUrl", "".join(files), "the content type asks for media; give an address")
    if not text and not files:
        raise BundleInvalid(field="body", reason="neither text nor media is given; give one")
    if len(text) > LONGEST:
        raise BundleInvalid(
            field="body",
            reason=f"the text has {len(text):,} characters; SignalWire takes {LONGEST:,}",
        )
    if len(files) > MOST_MEDIA:
        raise BundleInvalid(
            field="mediaUrl", reason=f"{len(files)} files are given; SignalWire takes {MOST_MEDIA}"
        )
    return text, files


add_api_call(
    signalwire,
    base=BASE,
    docs="Your own space takes the place of its host. For example `/api/relay/rest/phone_numbers`.",
    example="/api/relay/rest/phone_numbers",
    error_text=said,
)
