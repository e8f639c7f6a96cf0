"""Modules that write mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

from junctor.connectors.email.account import IMAP, SMTP, Folder, email
from junctor.errors import BundleInvalid
from junctor.language.asks.mail import SaveDraft, SendMail
from junctor.language.calls import header_rows
from junctor.language.connector import Asks, Field
from junctor.language.mail import Attachment, Outgoing
from junctor.language.values import to_buffer

__all__ = ["action_send_email", "action_send_me_email", "create_draft"]

_MOST_ATTACHMENTS = 100


class AttachmentRow(TypedDict, total=False):
    """One attachment."""

    fileName: Annotated[str, Field(label="File name")]
    data: Annotated[bytes, Field(label="Data")]
    cid: Annotated[str, Field(label="Content-ID", help="The HTML shows it as `cid:…`.")]


class HeaderRow(TypedDict, total=False):
    """One header."""

    key: Annotated[str, Field(label="Key")]
    value: Annotated[str, Field(label="Value")]


_To = Annotated[
    list[str], Field(label="To", help="Addresses, as `a@b.c` or `Name <a@b.c>`.", example=["a@b.c"])
]
_Cc = Annotated[list[str], Field(label="Copy recipient", advanced=True)]
_Bcc = Annotated[list[str], Field(label="Blind copy recipient", advanced=True)]
_Subject = Annotated[str, Field(label="Subject")]
_Kind = Annotated[
    Literal["html", "text", "text/html", "text/plain"],
    Field(label="Content type", key="contentType"),
]
_Html = Annotated[str, Field(label="Content (HTML)", multiline=True)]
_Text = Annotated[
    str,
    Field(
        label="Content (text)",
        help="With HTML content, what readers without HTML see.",
        multiline=True,
    ),
]
_Attachments = Annotated[list[AttachmentRow], Field(label="Attachments")]
_From = Annotated[
    str, Field(label="From", help="Empty: the connection's own address.", advanced=True)
]
_Sender = Annotated[
    str,
    Field(label="Sender", help="Who sends in the name of From; gets the bounces.", advanced=True),
]
_ReplyTo = Annotated[str, Field(label="Reply-To", key="replyTo", advanced=True)]
_InReplyTo = Annotated[
    str,
    Field(
        label="In-Reply-To",
        help="The Message-ID of the mail this one answers.",
        key="inReplyTo",
        advanced=True,
    ),
]
_References = Annotated[
    list[str], Field(label="References", help="Message-IDs of the conversation.", advanced=True)
]
_Priority = Annotated[Literal["high", "normal", "low"], Field(label="Priority", advanced=True)]
_Headers = Annotated[list[HeaderRow], Field(label="Headers", advanced=True)]
_Save = Annotated[
    bool,
    Field(
        label="Save message after sending",
        help="Needs the IMAP server in the connection.",
        key="saveAfterSent",
        static=True,
    ),
]


@email.action(
    "Send an email",
    name="ActionSendEmail",
    effect="once",
    aliases=("email:send-email", "email:SendEmail", "email:sendEmail"),
    **SMTP,
)
def action_send_email(
    to: _To,
    subject: _Subject = "",
    content_type: _Kind = "html",
    html: _Html = "",
    text: _Text = "",
    body: Annotated[
        str,
        Field(label="Content (other name)", help="Read if the others are empty.", advanced=True),
    ] = "",
    attachments: _Attachments = [],  # noqa: B006  # a form's default; `bind` copies it
    cc: _Cc = [],  # noqa: B006  # as above
    bcc: _Bcc = [],  # noqa: B006  # as above
    from_: _From = "",
    sender: _Sender = "",
    reply_to: _ReplyTo = "",
    in_reply_to: _InReplyTo = "",
    references: _References = [],  # noqa: B006  # as above
    priority: _Priority = "normal",
    headers: _Headers = [],  # noqa: B006  # as above
    contents: Annotated[
        list[dict[str, Any]],
        Field(label="Contents (other name)", help="`text` or `html` of each.", advanced=True),
    ] = [],  # noqa: B006  # as above
    save_after_sent: _Save = False,
) -> Asks:
    """Sends a mail, to all its recipients or, if the server refuses one of them, to none.

    Gives `messageId`, `accepted` and `saved`. The same step of a run always has the same
    Message-ID, so a mail whose outcome is unknown can be looked for.
    """
    plain = content_type in {"text", "text/plain"}
    html, text = _content(plain, html, text or _joined(contents, "text"), body, contents)
    answer: dict[str, Any] = yield SendMail(
        mail=Outgoing(
            to=_filled(to),
            cc=_filled(cc),
            bcc=_filled(bcc),
            subject=subject,
            html=html,
            text=text,
            attachments=_files(attachments),
            from_=from_.strip(),
            sender=sender.strip(),
            reply_to=reply_to.strip(),
            in_reply_to=in_reply_to.strip(),
            references=_filled(references),
            priority=priority,
            headers=tuple(header_rows(headers).items()),
        ),
        save=save_after_sent,
    )
    return answer


@email.action("Send me an email", name="ActionSendMeEmail", effect="once", **SMTP)
def action_send_me_email(
    subject: _Subject = "",
    content_type: _Kind = "html",
    html: _Html = "",
    text: _Text = "",
    attachments: _Attachments = [],  # noqa: B006  # a form's default; `bind` copies it
) -> Asks:
    """Sends a mail to the connection's own address."""
    html, text = _content(content_type in {"text", "text/plain"}, html, text, "", [])
    answer: dict[str, Any] = yield SendMail(
        mail=Outgoing(subject=subject, html=html, text=text, attachments=_files(attachments)),
        to_self=True,
    )
    return answer


@email.action(
    "Create a draft",
    name="ActionCreateDraft",
    effect="once",
    aliases=("email:CreateDraft", "email:createDraft"),
    **IMAP,
)
def create_draft(
    to: Annotated[list[str], Field(label="To")] = [],  # noqa: B006  # a form's default; `bind` copies it
    subject: _Subject = "",
    content_type: _Kind = "html",
    html: _Html = "",
    text: _Text = "",
    attachments: _Attachments = [],  # noqa: B006  # as above
    cc: _Cc = [],  # noqa: B006  # as above
    bcc: _Bcc = [],  # noqa: B006  # as above
    from_: _From = "",
    in_reply_to: _InReplyTo = "",
    references: _References = [],  # noqa: B006  # as above
    folder: Folder = "Drafts",
) -> Asks:
    """Puts a mail into the folder of drafts, unsent. Gives `messageId`."""
    html, text = _content(content_type in {"text", "text/plain"}, html, text, "", [])
    answer: dict[str, Any] = yield SaveDraft(
        mail=Outgoing(
            to=_filled(to),
            cc=_filled(cc),
            bcc=_filled(bcc),
            subject=subject,
            html=html,
            text=text,
            attachments=_files(attachments),
            from_=from_.strip(),
            in_reply_to=in_reply_to.strip(),
            references=_filled(references),
        ),
        folder=folder,
    )
    return answer


def _content(
    plain: bool, html: str, text: str, body: str, contents: Sequence[dict[str, Any]]
) -> tuple[str, str]:
    if plain:
        return "", text or body or html
    html = html or _joined(contents, "html")
    # HTML was chosen and only text is there: it is shown as it is, as text.
    return (html, text) if html else ((body, "") if body else ("", text))


def _joined(contents: Sequence[dict[str, Any]], key: str) -> str:
    return "\n".join(str(row[key]) for row in contents if row.get(key))


def _filled(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text and text.strip())


def _files(rows: Sequence[AttachmentRow]) -> tuple[Attachment, ...]:
    if len(rows) > _MOST_ATTACHMENTS:
        raise BundleInvalid(field="attachments", reason=f"more than {_MOST_ATTACHMENTS}")
    files = []
    for number, row in enumerate(rows, start=1):
        if row.get("data") is None:
            raise BundleInvalid(field=f"attachments[{number}].data", reason="it is empty")
        name = (row.get("fileName") or f"attachment-{number}").strip()
        files.append(Attachment(name, to_buffer(row["data"]), (row.get("cid") or "").strip()))
    return tuple(files)
