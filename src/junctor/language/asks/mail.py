"""Mail: accounts at mail servers, and what may be asked of them.

The account is the module's connection. Folders are named as people see them; a message is known by
its UID, a number that holds in its folder as long as the folder's ``uidValidity`` is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from junctor.language.connector import Ask, Field, Secret
from junctor.language.mail import Outgoing

__all__ = [
    "CheckMail",
    "CopyMail",
    "DeleteMail",
    "FetchMail",
    "FindMails",
    "FlagMail",
    "ImapAccount",
    "ListFolders",
    "MoveMail",
    "SaveDraft",
    "Security",
    "SendMail",
    "SmtpAccount",
]

Security = Annotated[
    Literal["tls", "starttls", "none"],
    Field(
        label="Encryption",
        help="TLS from the start, STARTTLS (refused if the server doesn't offer it), or none: "
        "the password then travels readably.",
    ),
]
_Refuse = Annotated[
    bool,
    Field(
        label="Refuse untrusted certificates",
        help="Off only for a server of your own with a certificate of its own.",
        advanced=True,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """A server that sends mail, and where copies of it are kept."""

    host: Annotated[str, Field(label="SMTP server", example="smtp.example.com")]
    port: Annotated[int, Field(label="Port", minimum=1, maximum=65535)] = 587
    security: Security = "starttls"
    user: Annotated[str, Field(label="User name", help="Empty: no login.")] = ""
    password: Annotated[Secret | None, Field(label="Password")] = None
    address: Annotated[
        str,
        Field(label="E-mail address", help="Who mails are from. Empty: the user name."),
    ] = ""
    imap_host: Annotated[
        str,
        Field(
            label="IMAP server",
            help="Where sent messages are saved, with the same user and password.",
            advanced=True,
        ),
    ] = ""
    imap_port: Annotated[int, Field(label="IMAP port", minimum=1, maximum=65535, advanced=True)] = (
        993
    )
    imap_security: Security = "tls"
    sent_folder: Annotated[str, Field(label="Folder of sent messages", advanced=True)] = "Sent"
    reject_unauthorized: _Refuse = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAccount:
    """A mailbox on a server."""

    host: Annotated[str, Field(label="IMAP server", example="imap.example.com")]
    port: Annotated[int, Field(label="Port", minimum=1, maximum=65535)] = 993
    security: Security = "tls"
    user: Annotated[str, Field(label="User name")]
    password: Annotated[Secret, Field(label="Password")]
    reject_unauthorized: _Refuse = True


@dataclass(frozen=True, slots=True)
class CheckMail(Ask):
    """Logs in and out again. Answered with ``None``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMail(Ask):
    """Sends by the SMTP account. Answered with ``{"messageId", "accepted", "saved"}``.

    The Message-ID follows from the run's address, so the same step always has the same. Either all
    recipients are taken by the server or nothing is sent.
    """

    mail: Outgoing
    to_self: bool = False
    """To the account's own address, in place of ``mail.to``."""
    save: bool = False
    """Keep a copy in the folder of sent messages. That this fails is told, but is no failure."""


@dataclass(frozen=True, slots=True)
class ListFolders(Ask):
    """Answered with ``[{"path", "name"}, …]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindMails(Ask):
    """Looks among the newest 5,000 of a folder; newest first.

    Answered with ``[{"uid", "uidValidity", "folder"}, …]``.
    """

    folder: str
    unseen: bool = False
    sender: str = ""
    to: str = ""
    subject: str = ""
    text: str = ""
    """In head or body."""
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchMail(Ask):
    """Answered with the bundle of `language.mail.read` and ``uid``, ``folder``, ``receivedAt``,
    ``size``, ``seen``, ``answered``, ``flagged``, ``draft``, ``deleted``; ``None`` if it is gone.

    A mail over `language.mail.MOST_BYTES` has its head only, and ``truncated`` is true.
    """

    folder: str
    uid: int
    mark_seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMail(Ask):
    """Answered with ``None``."""

    folder: str
    uid: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMail(Ask):
    """Answered with ``None``."""

    folder: str
    uid: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMail(Ask):
    """Marks it deleted and, unless ``expunge`` is false, removes it. Answered with ``None``."""

    folder: str
    uid: int
    expunge: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagMail(Ask):
    """Sets or takes back what is not ``None``. Answered with ``None``."""

    folder: str
    uid: int
    seen: bool | None = None
    flagged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveDraft(Ask):
    """Puts a message in a folder, unsent. Answered with ``{"messageId"}``."""

    mail: Outgoing
    folder: str
