"""Modules that read mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from junctor.connectors.email.account import IMAP, NONE, Folder, Uid, email
from junctor.errors import BundleInvalid, NotFound
from junctor.language.asks.mail import FetchMail, FindMails, ListFolders
from junctor.language.connector import Asks, Bundle, Field, Poll
from junctor.language.values import to_array

__all__ = [
    "feed_attachments",
    "get_email",
    "list_folders",
    "search_emails",
    "trigger_new_email",
    "whole",
]

_Criteria = Annotated[
    Literal["ALL", "UNSEEN"],
    Field(label="Criteria", help="All mails, or only unread ones."),
]
_From = Annotated[str, Field(label="Sender contains", key="from")]
_To = Annotated[str, Field(label="Recipient contains")]
_Subject = Annotated[str, Field(label="Subject contains")]
_Text = Annotated[str, Field(label="Mail contains", help="Anywhere in it.")]
_Seen = Annotated[
    bool,
    Field(label="Mark as read when fetched", key="markSeen"),
]


def whole(item: Bundle, arguments: Mapping[str, Any]) -> Asks:
    """The mail that a listed row stands for; nothing if it is gone by now."""
    mail: Bundle | None = yield FetchMail(
        folder=item["folder"], uid=item["uid"], mark_seen=bool(arguments.get("mark_seen"))
    )
    return [] if mail is None else [mail]


def _row_id(row: Bundle) -> str:
    return f"{row['uidValidity']}:{row['uid']}"


@email.module(
    "Watch emails",
    kind="trigger",
    name="TriggerNewEmail",
    effect="read",
    aliases=("email:WatchEmails", "email:watchEmails"),
    poll=Poll(id=_row_id, newest_first=True, limit_field="max_results", complete=whole),
    **IMAP,
)
def trigger_new_email(
    folder: Folder = "INBOX",
    criteria: _Criteria = "ALL",
    from_: _From = "",
    to: _To = "",
    subject: _Subject = "",
    text: _Text = "",
    mark_seen: _Seen = False,
    max_results: Annotated[
        int, Field(label="Maximum number of results", key="maxResults", minimum=1)
    ] = 10,
) -> Asks:
    """Starts when a mail comes into a folder.

    What is new is told by the message's number in its folder, so mails that were moved there count,
    too. Only what is passed on is fetched whole, and marked.
    """
    del mark_seen, max_results
    rows: list[Bundle] = yield FindMails(
        folder=folder,
        unseen=criteria == "UNSEEN",
        sender=from_,
        to=to,
        subject=subject,
        text=text,
    )
    return rows


@email.search(
    "Search emails",
    name="ActionSearchEmails",
    limit_field="max_results",
    aliases=("email:SearchEmails", "email:searchEmails", "email:ActionGetEmails"),
    **IMAP,
)
def search_emails(
    folder: Folder = "INBOX",
    criteria: _Criteria = "ALL",
    from_: _From = "",
    to: _To = "",
    subject: _Subject = "",
    text: _Text = "",
    max_results: Annotated[
        int, Field(label="Maximum number of results", key="maxResults", minimum=1, maximum=1000)
    ] = 10,
) -> Asks:
    """Finds mails in a folder, newest first, and gives each whole; none is marked as read."""
    rows: list[Bundle] = yield FindMails(
        folder=folder,
        unseen=criteria == "UNSEEN",
        sender=from_,
        to=to,
        subject=subject,
        text=text,
    )
    found = []
    for row in rows[:max_results]:
        mail: Bundle | None = yield FetchMail(folder=folder, uid=row["uid"])
        if mail is not None:
            found.append(mail)
    return found


@email.action(
    "Get an email",
    name="ActionGetEmail",
    effect="read",
    aliases=("email:GetEmail", "email:getEmail"),
    **IMAP,
)
def get_email(folder: Folder, uid: Uid) -> Asks:
    """Gives one mail whole; it stays as unread as it is."""
    mail: Bundle | None = yield FetchMail(folder=folder, uid=uid)
    if mail is None:
        raise NotFound(f"There is no message {uid} in the folder '{folder}'.")
    return mail


@email.search("List folders", name="ActionListFolders", aliases=("email:ListFolders",), **IMAP)
def list_folders() -> Asks:
    """Gives the mailbox's folders: `path` and `name`."""
    folders: list[Bundle] = yield ListFolders()
    return folders


def _attachments_schema() -> dict[str, Any]:
    return {
        "properties": {
            "array": {
                "title": "Attachments",
                "description": "The `attachments` of a mail.",
                "type": "array",
            }
        },
        "required": ["array"],
    }


@email.module(
    "Iterate attachments",
    kind="iterator",
    name="FeedAttachments",
    raw=True,
    schema=_attachments_schema,
    aliases=("email:IterateAttachments", "email:RetrieveAttachments"),
    **NONE,
)
def feed_attachments(_parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Iterator[Bundle]:
    """Gives a mail's attachments, one bundle each: `fileName`, `data`, `contentType` and so on."""
    items = to_array(mapper.get("array"))
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):
            raise BundleInvalid(
                field="array", reason="its items are not attachments; map a mail's `attachments`"
            )
        yield {**item, "__IMTINDEX__": number, "__IMTLENGTH__": len(items)}
