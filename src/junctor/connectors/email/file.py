"""Modules that change what lies in a mailbox."""

from __future__ import annotations

from typing import Annotated

from junctor.connectors.email.account import IMAP, Folder, Uid, email
from junctor.language.asks.mail import CopyMail, DeleteMail, FlagMail, MoveMail
from junctor.language.connector import Asks, Field

__all__ = ["copy_email", "delete_email", "mark_email", "mark_email_read", "move_email"]

_Target = Annotated[str, Field(label="Destination folder", key="destination", example="Archive")]


@email.action(
    "Copy an email",
    name="ActionCopyEmail",
    effect="once",
    aliases=("email:CopyEmail", "email:copyEmail"),
    **IMAP,
)
def copy_email(folder: Folder, uid: Uid, target: _Target) -> Asks:
    """Copies a mail into another folder of the mailbox."""
    yield CopyMail(folder=folder, uid=uid, target=target)
    return {"uid": uid, "folder": folder}


@email.action(
    "Move an email",
    name="ActionMoveEmail",
    effect="once",
    aliases=("email:MoveEmail", "email:moveEmail"),
    **IMAP,
)
def move_email(folder: Folder, uid: Uid, target: _Target) -> Asks:
    """Moves a mail into another folder, where it gets another number."""
    yield MoveMail(folder=folder, uid=uid, target=target)
    return {"folder": target}


@email.action(
    "Delete an email",
    name="ActionDeleteEmail",
    effect="once",
    aliases=("email:DeleteEmail", "email:deleteEmail"),
    **IMAP,
)
def delete_email(
    folder: Folder,
    uid: Uid,
    expunge: Annotated[
        bool, Field(label="Permanently", help="Otherwise it is only marked as deleted.")
    ] = True,
) -> Asks:
    """Deletes a mail."""
    yield DeleteMail(folder=folder, uid=uid, expunge=expunge)
    return {"uid": uid, "folder": folder}


@email.action(
    "Mark an email as read or unread",
    name="ActionMarkEmail",
    effect="idempotent",
    aliases=("email:MarkEmail", "email:markEmail"),
    **IMAP,
)
def mark_email(
    folder: Folder,
    uid: Uid,
    seen: Annotated[bool | None, Field(label="Read")] = None,
    flagged: Annotated[bool | None, Field(label="Flagged (important)")] = None,
) -> Asks:
    """Marks a mail; what isn't given stays as it is."""
    yield FlagMail(folder=folder, uid=uid, seen=seen, flagged=flagged)
    return {"uid": uid, "folder": folder}


@email.action(
    "Mark an email as read",
    name="ActionMarkEmailAsRead",
    effect="idempotent",
    aliases=("email:MarkAsRead", "email:ActionMarkAsRead"),
    **IMAP,
)
def mark_email_read(folder: Folder, uid: Uid) -> Asks:
    """Marks a mail as read."""
    yield FlagMail(folder=folder, uid=uid, seen=True)
    return {"uid": uid, "folder": folder}
