"""E-mail by SMTP and IMAP: send, watch, look, file."""

from __future__ import annotations

from junctor.connectors.email import file, send, watch
from junctor.connectors.email.account import email

__all__ = ["email", "file", "send", "watch"]
