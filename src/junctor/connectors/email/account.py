"""The connector, its two kinds of connection, and fields that several modules have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from junctor.errors import Misconfigured
from junctor.language.asks.mail import CheckMail, ImapAccount, SmtpAccount
from junctor.language.connector import Connection, Connector, Field, Request

__all__ = ["IMAP", "NONE", "SMTP", "Folder", "Uid", "email"]


def _no_http(request: Request, _form: Any) -> NoReturn:
    raise Misconfigured(f"A mail account is not for HTTP requests ({request.url}).")


email = Connector(
    name="email",
    label="Email",
    docs="docs/mail.md",
    help="Any mail server: SMTP to send, IMAP to read.",
    connections={
        "smtp": Connection(
            form=SmtpAccount,
            base_url="",
            sign=_no_http,
            probe=CheckMail(),
            label="SMTP (send)",
            help="For providers with two-factor login, an app password.",
        ),
        "imap": Connection(
            form=ImapAccount,
            base_url="",
            sign=_no_http,
            probe=CheckMail(),
            label="IMAP (read)",
            help="For providers with two-factor login, an app password.",
        ),
    },
)


def _one(_parameters: Mapping[str, Any], _mapper: Mapping[str, Any]) -> tuple[str, ...]:
    return ("account",)


def _none(_parameters: Mapping[str, Any], _mapper: Mapping[str, Any]) -> tuple[str, ...]:
    return ()


SMTP: Mapping[str, Any] = {
    "needs_connection": _one,
    "connection_kinds": {"account": ("smtp",)},
}
"""For modules that send."""
IMAP: Mapping[str, Any] = {
    "needs_connection": _one,
    "connection_kinds": {"account": ("imap",)},
}
"""For modules that look or file."""
NONE: Mapping[str, Any] = {"needs_connection": _none}

Folder = Annotated[str, Field(label="Folder", help="As the mailbox shows it.", example="INBOX")]
Uid = Annotated[
    int,
    Field(
        label="Email ID (UID)",
        help="The number of the message in its folder; other modules give it as `uid`.",
        minimum=1,
        maximum=2**32 - 1,
    ),
]
