"""One conversation with a mail server, from its connect to how it ended. Blocking.

Loaded with the standard library's clients when mail is first sent or looked at: few processes do.
"""

from __future__ import annotations

import imaplib
import smtplib
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from junctor.adapters.egress import Egress, Refused
from junctor.adapters.imap import ImapSession
from junctor.adapters.mail import Login
from junctor.errors import (
    JunctorError,
    Misconfigured,
    NotSent,
    Reconnect,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)

__all__ = ["Session", "imap", "send", "smtp"]

T = TypeVar("T")

_CONNECT = 15.0
_ANSWER = 30.0
"""Seconds a server may take for one answer."""
_AFTER_DATA = 60.0
"""Seconds it may take to say that it has a message: servers scan before they say so."""


class Session:
    """One conversation: its socket, and how far it has come."""

    def __init__(self, egress: Egress, login: Login) -> None:
        self._egress = egress
        self.login = login
        self._sock: socket.socket | None = None
        self._cut = False
        self.acting = False
        """Whether the server may be doing what can't be taken back."""
        self.close: Callable[[], Any] = lambda: None
        """Ends the client's own use of the socket; only its thread may."""

    def run(self, work: Callable[[Session], T]) -> T:
        host = self.login.host
        try:
            return work(self)
        except JunctorError:
            raise
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code < 500:
                raise _refused(error.smtp_code, error.smtp_error) from None
            raise Reconnect(
                f"{host} refused the user name or password: {_said(error.smtp_error)}", host=host
            ) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, error.smtp_error) from error
        except imaplib.IMAP4.error as error:
            if isinstance(error, imaplib.IMAP4.abort):
                raise self._lost(error) from error
            raise VendorRefused(
                f"The mail server refused: {_reason(error)}", status="BAD"
            ) from error
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as error:
            raise self._lost(error) from error
        finally:
            self.cut()
            with suppress(OSError):
                self.close()

    def _lost(self, error: Exception) -> JunctorError:
        host, reason = self.login.host, "it took too long" if self._cut else _reason(error)
        if self.acting:
            return Uncertain(
                f"{host} was asked to act, and its answer is lost ({reason}).",
                host=host,
                reason=reason,
            )
        return NotSent(host=host, reason=reason)

    def cut(self) -> None:
        """Ends the conversation at once, from whichever thread."""
        self._cut = True
        sock, self._sock = self._sock, None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                sock.close()

    def connect(self) -> socket.socket:
        """A socket to an address that may be reached; encrypted if that is how it begins."""
        login = self.login
        self._egress.check_host(login.host, login.port)
        found = socket.getaddrinfo(login.host, login.port, type=socket.SOCK_STREAM)
        for *_, address in found:
            self._egress.check_address(str(address[0]), login.port)
        failed: OSError = Refused("the name has no address")
        for family, kind, protocol, _, address in found[:4]:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_CONNECT)
                sock.connect(address)
                sock.settimeout(_ANSWER)
                if login.security == "tls":
                    sock = login.context().wrap_socket(sock, server_hostname=login.host)
            except OSError as error:
                failed = error
                sock.close()
                continue
            return self.watched(sock)
        raise failed

    def watched(self, sock: socket.socket) -> socket.socket:
        """The same socket; `cut` reaches it."""
        self._sock = sock
        if self._cut:
            self.cut()
            raise TimeoutError("it took too long")
        return sock


# SMTP


class _Smtp(smtplib.SMTP):
    """The standard client on a socket that was made and checked here."""

    def __init__(self, session: Session) -> None:
        self._session = session
        super().__init__(local_hostname="junctor.invalid", timeout=_ANSWER)
        self._host = session.login.host
        session.close = self.close
        code, text = self.connect(session.login.host, session.login.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host, port, timeout
        return self._session.connect()


def smtp(session: Session, login: Login) -> _Smtp:
    """A client that is logged in, if there is a user name."""
    client = _Smtp(session)
    client.ehlo_or_helo_if_needed()
    if login.security == "starttls":
        if not client.has_extn("starttls"):
            raise Misconfigured(
                f"{login.host}:{login.port} offers no STARTTLS; the encryption of the connection "
                "should be 'tls' (often port 465), or 'none' if you trust the way there."
            )
        client.starttls(context=login.context())
        assert client.sock is not None
        session.watched(client.sock)
        client.ehlo()
    if login.user:
        if not client.has_extn("auth"):
            raise Misconfigured(f"{login.host}:{login.port} takes no login; clear the user name.")
        client.login(login.user, login.password)
    return client


def send(session: Session, login: Login, sender: str, to: tuple[str, ...], message: bytes) -> None:
    """Hands a message over; see `MailServers.send`."""
    client = smtp(session, login)
    options = []
    if client.has_extn("size"):
        limit = client.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(message):
            raise VendorRefused(status=552, reason=f"the server takes at most {limit} bytes")
        options.append(f"SIZE={len(message)}")
    if not all(address.isascii() for address in (sender, *to)):
        if not client.has_extn("smtputf8"):
            raise VendorRefused(status=553, reason="the server takes no addresses beyond ASCII")
        options += ["SMTPUTF8", "BODY=8BITMIME"]
        client.command_encoding = "utf-8"
    _must(client.mail(sender, options), "")
    for address in to:
        _must(client.rcpt(address), address)
    client.putcmd("data")
    code, text = client.getreply()
    if code != 354:
        raise _refused(code, text)
    assert client.sock is not None
    # A line that begins with a dot gets another one (RFC 5321 4.5.2); lines end as they should
    # already, and only in CRLF: nothing inside can be taken for the end.
    body = message.replace(b"\r\n.", b"\r\n..")
    body = b"." + body if body.startswith(b".") else body
    client.sock.sendall(body if body.endswith(b"\r\n") else body + b"\r\n")
    client.sock.settimeout(_AFTER_DATA)
    session.acting = True
    client.sock.sendall(b".\r\n")
    code, text = client.getreply()
    session.acting = False
    if code == -1:  # not a reply at all
        raise Uncertain(f"{login.host} answered the message with something unreadable.")
    if not 200 <= code < 300:
        raise _refused(code, text)
    with suppress(smtplib.SMTPException, OSError):
        client.quit()


def _must(reply: tuple[int, bytes], address: str) -> None:
    code, text = reply
    if not 200 <= code < 300:
        raise _refused(code, text, address)


def _refused(code: int, text: Any, address: str = "") -> JunctorError:
    reason = _said(text) + (f" ({address})" if address else "")
    if 400 <= code < 500:
        return VendorUnavailable(f"The mail server refused for now ({code}): {reason}", status=code)
    return VendorRefused(status=code, reason=reason)


def _said(text: Any) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return " ".join(shown.split())[:300]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, smtplib.SMTPServerDisconnected | EOFError):
        return "the connection was cut"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return _said(error) or type(error).__name__


# IMAP


class _Client(imaplib.IMAP4):
    """The standard client on such a socket, that reads no more than it may."""

    def __init__(self, session: Session) -> None:
        self._session = session
        super().__init__(session.login.host, session.login.port)
        session.close = self.shutdown

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        del timeout
        return self._session.connect()

    def read(self, size: int) -> bytes:
        if size > ImapSession.LONGEST:
            raise OSError(f"the server wants to send {size:,} bytes at once")
        return super().read(size)


def imap(session: Session, login: Login, work: Callable[[ImapSession], T]) -> T:
    """What ``work`` gives; see `MailServers.imap`."""
    client = _Client(session)
    if login.security == "starttls":
        if "STARTTLS" not in client.capabilities:
            raise Misconfigured(
                f"{login.host}:{login.port} offers no STARTTLS; the encryption of the connection "
                "should be 'tls' (often port 993), or 'none' if you trust the way there."
            )
        client.starttls(login.context())
        session.watched(client.sock)
    mailbox = ImapSession(client, acting=lambda value: setattr(session, "acting", value))
    mailbox.login(login.host, login.user, login.password)
    result = work(mailbox)
    with suppress(imaplib.IMAP4.error, OSError):
        client.logout()
    return result
