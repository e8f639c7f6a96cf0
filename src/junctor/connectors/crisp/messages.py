"""Messages of a conversation: listed, sent, read, edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.crisp.account import below, crisp
from junctor.connectors.crisp.conversations import Fingerprinted, Session
from junctor.connectors.crisp.dates import milliseconds
from junctor.connectors.crisp.probes import MESSAGE_SENT, fingerprinted
from junctor.connectors.crisp.reading import number, rows_of, stamp_of
from junctor.connectors.crisp.website import Limit, Website
from junctor.connectors.crisp.website import list_operators as operators
from junctor.errors import BundleInvalid
from junctor.language.connector import Bundle, Field, Flow, Request

__all__ = ["content_of"]

Type = Literal["text", "note", "file", "animation", "audio", "picker", "field", "carousel", "event"]


class Action(TypedDict, total=False):
    """What a choice does when it is picked."""

    type: Annotated[str, Field(label="Type", example="link")]
    target: Annotated[str, Field(label="Target", example="https://example.com")]


class Choice(TypedDict, total=False):
    """One choice of a picker."""

    value: Annotated[str, Field(label="Value")]
    label: Annotated[str, Field(label="Label")]
    icon: Annotated[str, Field(label="Icon")]
    selected: Annotated[bool, Field(label="Selected")]
    action: Annotated[Action, Field(label="Action")]


class CardAction(TypedDict, total=False):
    """A button below a card of a carousel."""

    label: Annotated[str, Field(label="Label")]
    url: Annotated[str, Field(label="URL")]


class Card(TypedDict, total=False):
    """One card of a carousel."""

    title: Annotated[str, Field(label="Title")]
    description: Annotated[str, Field(label="Description")]
    image: Annotated[str, Field(label="Image URL")]
    actions: Annotated[list[CardAction], Field(label="Buttons")]


class Reference(TypedDict, total=False):
    """A source that a message names."""

    type: Annotated[str, Field(label="Type", example="link")]
    name: Annotated[str, Field(label="Name")]
    target: Annotated[str, Field(label="Target")]


Kind = Annotated[
    Type,
    Field(
        label="Message type",
        help="text: everybody reads it; note: operators only; file, animation, audio: see *URL*; "
        "picker, field, carousel: something to choose or to fill in; event: a line between the "
        "messages.",
    ),
]
Content = Annotated[
    str,
    Field(
        label="Content",
        help="The text of a text or a note, and the words above a picker, field, carousel or "
        "event.",
        multiline=True,
    ),
]
Address = Annotated[
    str, Field(label="URL", help="Of a file, animation or audio.", format="uri", advanced=True)
]
FileName = Annotated[str, Field(label="File name", help="Of a file.", advanced=True)]
MimeType = Annotated[
    str,
    Field(
        label="File type",
        help="Of a file, animation or audio.",
        example="image/png",
        advanced=True,
    ),
]
Duration = Annotated[
    float | None,
    Field(label="Duration", help="Of an audio, in seconds.", minimum=0, advanced=True),
]
Identifier = Annotated[
    str, Field(label="ID", help="Of a picker or field: names the answer.", advanced=True)
]
Choices = Annotated[
    list[Choice], Field(label="Choices", help="Of a picker.", key="choices", advanced=True)
]
Cards = Annotated[list[Card], Field(label="Cards", help="Of a carousel.", advanced=True)]
Explain = Annotated[
    str, Field(label="Explanation", help="Of a field: shown while it is empty.", advanced=True)
]
Value = Annotated[str, Field(label="Value", help="Of a field: what it holds.", advanced=True)]
Required = Annotated[
    bool | None,
    Field(label="Required", help="Whether a picker or field must be answered.", advanced=True),
]
Namespace = Annotated[
    str, Field(label="Namespace", help="Of an event.", example="state:resolved", advanced=True)
]
Whole = Annotated[
    dict[str, Any],
    Field(
        label="Content as data",
        help="The whole content as a collection, in place of the fields above.",
        advanced=True,
    ),
]


def content_of(type_: str, text: str, data: Mapping[str, Any], **parts: Any) -> Any:
    """The content of a message, in the form of its type. `BundleInvalid` names what is missing."""
    if data:
        return dict(data)
    shapes: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "file": (("name", "url", "type"), ("name", "url", "type")),
        "animation": (("url", "type"), ("url", "type")),
        "audio": (("url", "type"), ("url", "type", "duration")),
        "picker": (("id", "choices"), ("id", "text", "choices", "required")),
        "field": (("id", "explain"), ("id", "text", "explain", "value", "required")),
        "carousel": (("targets",), ("text", "targets")),
        "event": (("namespace",), ("namespace", "text")),
    }
    if type_ in {"text", "note"}:
        if not text.strip():
            raise BundleInvalid(field="content", reason=f"a {type_} needs a text; map or type one")
        return text
    needed, keys = shapes[type_]
    given = {**parts, "text": text}
    for key in needed:
        if given.get(key) in (None, "", []):
            raise BundleInvalid(
                field={"type": "file_type"}.get(key, key),
                reason=f"a message of the type {type_} needs it; map or type a value",
            )
    return {key: given[key] for key in keys if given.get(key) not in (None, "", [])}


@crisp.search("List messages", limit_field="limit")
def list_messages(
    session_id: Session,
    before: Annotated[
        datetime | None,
        Field(label="Before", help="Only messages written before this date."),
    ] = None,
    limit: Limit = 10,
    website_id: Website = "",
) -> Flow:
    """Gives the last messages of a conversation, the oldest of them first."""
    found: dict[Any, Bundle] = {}
    stamp = None if before is None else milliseconds(before)
    while True:
        response = yield Request(
            "GET",
            below(website_id, "conversation", session_id, "messages"),
            query={} if stamp is None else {"timestamp_before": stamp},
        )
        rows = rows_of(response, "messages")
        new = {row.get("fingerprint", index): row for index, row in enumerate(rows)}
        new = {key: row for key, row in new.items() if key not in found}
        found = {**new, **found}
        stamps = [row["timestamp"] for row in new.values() if number(row.get("timestamp"))]
        # Batches have no announced size: only one without news is the last.
        if not stamps or len(found) >= limit or (stamp is not None and min(stamps) >= stamp):
            break
        stamp = int(min(stamps))
    ordered = sorted(found.values(), key=stamp_of)
    return ordered[-limit:]


Fingerprint = Annotated[
    int,
    Field(
        label="Message fingerprint",
        help="The message's number.",
        example=163408807661375,
        options=list_messages,
        option_value="fingerprint",
        option_label="content",
    ),
]


@crisp.action("Get a message", effect="read", items="data")
def get_message(session_id: Session, fingerprint: Fingerprint, website_id: Website = "") -> Request:
    """Gives a message with its content, sender and whether it was read."""
    return Request("GET", below(website_id, "conversation", session_id, "message", fingerprint))


@crisp.action(
    "Send a message", effect="once", items="data", probe=MESSAGE_SENT, handle=fingerprinted
)
def send_message(
    session_id: Session,
    type_: Kind = "text",
    content: Content = "",
    url: Address = "",
    name: FileName = "",
    file_type: MimeType = "",
    duration: Duration = None,
    id_: Identifier = "",
    choices: Choices = [],  # noqa: B006  # a form's default; `bind` copies it
    targets: Cards = [],  # noqa: B006  # as above
    explain: Explain = "",
    value: Value = "",
    required: Required = None,
    namespace: Namespace = "",
    content_data: Whole = {},  # noqa: B006  # as above
    from_: Annotated[
        Literal["user", "operator"],
        Field(label="Message sender", help="user: as the visitor; operator: as your side."),
    ] = "operator",
    origin: Annotated[
        Literal["chat", "email"] | str,  # noqa: PYI051  # a form shows the list and a text
        Field(
            label="Message origin",
            help="chat, email, or the URN of a plugin (`urn:…`).",
            example="chat",
        ),
    ] = "chat",
    mentions: Annotated[
        list[str],
        Field(
            label="Mentioned user identifiers",
            help="User IDs of operators to call to it; in a note.",
            options=operators,
            option_value="details.user_id",
            option_label="details.email",
        ),
    ] = [],  # noqa: B006  # as above
    fingerprint: Fingerprinted = None,
    user_type: Annotated[
        Literal["website", "user", "participant"] | str,  # noqa: PYI051  # as above
        Field(label="Type of the user", help="Who is shown as the author.", example="website"),
    ] = "",
    nickname: Annotated[str, Field(label="Nickname of the user")] = "",
    avatar: Annotated[str, Field(label="Avatar of the user", format="uri")] = "",
    original_type: Annotated[
        Literal["text/plain", "text/html"] | str,  # noqa: PYI051  # as above
        Field(
            label="Type of the original",
            help="An older form of the API; today's takes *ID of the original*.",
            example="text/html",
            advanced=True,
        ),
    ] = "",
    original_content: Annotated[
        str,
        Field(
            label="Content of the original",
            help="An older form of the API, sent only if filled in.",
            multiline=True,
            advanced=True,
        ),
    ] = "",
    original_id: Annotated[str, Field(label="ID of the original", advanced=True)] = "",
    translated: Annotated[
        bool | None,
        Field(label="Translated", help="Whether the content has been translated."),
    ] = None,
    references: Annotated[
        list[Reference], Field(label="References", help="Sources of the answer.", advanced=True)
    ] = [],  # noqa: B006  # as above
    properties: Annotated[
        dict[str, Any], Field(label="Properties", help="Data for plugins.", advanced=True)
    ] = {},  # noqa: B006  # as above
    timestamp: Annotated[
        datetime | None,
        Field(label="Date", help="When it was written, if not now.", advanced=True),
    ] = None,
    stealth: Annotated[
        bool | None,
        Field(label="Stealth", help="Tell nobody but plugins of it.", advanced=True),
    ] = None,
    automated: Annotated[
        bool | None,
        Field(label="Automated", help="Mark it as written by a machine.", advanced=True),
    ] = None,
    website_id: Website = "",
) -> Request:
    """Sends a message in a conversation, or leaves a note that only operators see.

    Gives the message's fingerprint. A message whose outcome is unknown is not sent again by itself;
    it is looked for by its fingerprint.
    """
    origin = str(origin)
    if origin not in {"chat", "email"} and not origin.startswith("urn:"):
        raise BundleInvalid(
            field="origin", reason=f"{origin[:80]!r} is neither chat nor email nor a URN (urn:…)"
        )
    body: dict[str, Any] = {
        "type": type_,
        "from": from_,
        "origin": origin,
        "content": content_of(
            type_,
            content,
            content_data,
            url=url,
            name=name,
            type=file_type,
            duration=duration,
            id=id_,
            choices=choices,
            targets=targets,
            explain=explain,
            value=value,
            required=required,
            namespace=namespace,
        ),
    }
    user = {"type": user_type, "nickname": nickname, "avatar": avatar}
    original = {"type": original_type, "content": original_content, "original_id": original_id}
    more: dict[str, Any] = {
        "mentions": [mention for mention in mentions if mention],
        "fingerprint": fingerprint,
        "user": {key: text for key, text in user.items() if text},
        "original": {key: text for key, text in original.items() if text},
        "translated": translated,
        "references": references,
        "properties": properties,
        "timestamp": None if timestamp is None else milliseconds(timestamp),
        "stealth": stealth,
        "automated": automated,
    }
    body |= {key: item for key, item in more.items() if item not in (None, [], {})}
    return Request("POST", below(website_id, "conversation", session_id, "message"), json=body)


@crisp.action("Edit a message", effect="idempotent")
def edit_message(
    session_id: Session,
    fingerprint: Fingerprint,
    type_: Annotated[
        Type,
        Field(
            label="Message type",
            help="The type that the message has: it says which form the new content takes, and is "
            "not changed.",
        ),
    ] = "text",
    content: Content = "",
    url: Address = "",
    name: FileName = "",
    file_type: MimeType = "",
    duration: Duration = None,
    id_: Identifier = "",
    choices: Choices = [],  # noqa: B006  # as above
    targets: Cards = [],  # noqa: B006  # as above
    explain: Explain = "",
    value: Value = "",
    required: Required = None,
    namespace: Namespace = "",
    content_data: Whole = {},  # noqa: B006  # as above
    website_id: Website = "",
) -> Request:
    """Replaces the content of a message; its type and sender stay."""
    changed = content_of(
        type_,
        content,
        content_data,
        url=url,
        name=name,
        type=file_type,
        duration=duration,
        id=id_,
        choices=choices,
        targets=targets,
        explain=explain,
        value=value,
        required=required,
        namespace=namespace,
    )
    where = below(website_id, "conversation", session_id, "message", fingerprint)
    return Request("PATCH", where, json={"content": changed})


@crisp.action("Remove a message", effect="idempotent")
def remove_message(
    session_id: Session, fingerprint: Fingerprint, website_id: Website = ""
) -> Request:
    """Removes a message from a conversation."""
    where = below(website_id, "conversation", session_id, "message", fingerprint)
    return Request("DELETE", where)


@crisp.action("Mark messages as read", effect="idempotent")
def mark_messages_read(
    session_id: Session,
    from_: Annotated[
        Literal["user", "operator"],
        Field(label="Sender", help="Whose messages count as read."),
    ] = "user",
    origin: Annotated[str, Field(label="Origin", example="chat", advanced=True)] = "chat",
    fingerprints: Annotated[
        list[int],
        Field(
            label="Fingerprints",
            help="None: all messages.",
            options=list_messages,
            option_value="fingerprint",
            option_label="content",
            advanced=True,
        ),
    ] = [],  # noqa: B006  # as above
    website_id: Website = "",
) -> Request:
    """Marks messages of a conversation as read."""
    body: dict[str, Any] = {"from": from_, "origin": origin}
    if fingerprints:
        body["fingerprints"] = fingerprints
    return Request("PATCH", below(website_id, "conversation", session_id, "read"), json=body)
