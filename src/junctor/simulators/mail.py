"""A mail server for tests and trials: SMTP that keeps what it is sent, IMAP over a few folders.

Only what `adapters.mail` speaks, and a few ways to fail: `MailServer.fault` names one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from junctor.language.mail import read

__all__ = ["Fault", "Folder", "MailServer", "Stored"]

Fault = Literal[
    "",
    "refuse-mail",  # 550 to a sender
    "later",  # 451 to every recipient
    "refuse-data",  # 554 after the whole message
    "cut-before-data",  # the connection ends at DATA
    "cut-after-data",  # the whole message came; the connection ends in place of an answer
    "cut-command",  # IMAP: the connection ends at any command that changes something
    "no-move",  # IMAP: MOVE and UIDPLUS aren't known
]


@dataclass(slots=True)
class Stored:
    """A message in a folder."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)
    internal_date: str = "05-Jan-2026 10:00:00 +0000"


@dataclass(slots=True)
class Folder:
    """A folder; UIDs only ever go up."""

    validity: int = 1
    next_uid: int = 1
    messages: list[Stored] = field(default_factory=list)

    def add(self, raw: bytes, *flags: str) -> Stored:
        """Puts a message at the end."""
        stored = Stored(self.next_uid, raw, set(flags))
        self.next_uid += 1
        self.messages.append(stored)
        return stored


class MailServer:
    """One user's account. Use as an async context manager; ports are chosen by the system.

    With ``tls`` SMTP offers STARTTLS, and IMAP is encrypted from the start.
    """

    def __init__(
        self,
        *,
        user: str = "ann",
        password: str = "secret",  # noqa: S107  # a test account's
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.user = user
        self.password = password
        self.fault: Fault = ""
        self.sent: list[Envelope] = []
        self.folders: dict[str, Folder] = {"INBOX": Folder(), "Sent": Folder(), "Drafts": Folder()}
        """By their name as it travels (modified UTF-7)."""
        self.commands: list[str] = []
        """IMAP commands, without their tag."""
        self.smtp_port = 0
        self.imap_port = 0
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._talks: set[asyncio.Task[Any]] = set()
        self.sessions: set[SMTP] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        smtp = await loop.create_server(self._smtp, "127.0.0.1", 0)
        imap = await asyncio.start_server(self._imap, "127.0.0.1", 0, ssl=self._tls)
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self.imap_port = imap.sockets[0].getsockname()[1]
        self._servers = [smtp, imap]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for server in self._servers:
            server.close()
        for session in list(self.sessions):
            _cut(session)
        for _ in range(3):  # their ends are told in the next turns of the loop
            await asyncio.sleep(0)
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    @property
    def addresses(self) -> tuple[str, str]:
        """Both, as ``JUNCTOR_EGRESS_ALLOW`` wants them."""
        return f"127.0.0.1:{self.smtp_port}", f"127.0.0.1:{self.imap_port}"

    # SMTP

    def _smtp(self) -> SMTP:
        return _Lenient(
            self,
            hostname="mail.test",
            authenticator=self._login,
            auth_require_tls=False,
            tls_context=self._tls,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    def _login(self, *given: Any) -> AuthResult:
        data = given[-1]
        good = isinstance(data, LoginPassword) and (
            data.login.decode() == self.user and data.password.decode() == self.password
        )
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a sender, unless told not to."""
        del server
        if not session.authenticated:
            return "530 5.7.0 Log in first"
        if self.fault == "refuse-mail":
            return "550 5.7.1 Not you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient; ``nobody@…`` doesn't exist."""
        del server, session, options
        if self.fault == "later":
            return "451 4.7.1 Greylisted"
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keeps the message."""
        del session
        if self.fault == "refuse-data":
            return "554 5.6.0 No"
        self.sent.append(envelope)
        if self.fault == "cut-after-data":
            _cut(server)
        return "250 OK"

    # IMAP

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await _Imap(self, reader, writer).talk()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            self._talks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _cut(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


class _Lenient(SMTP):
    """Cuts the line at DATA when told to."""

    def connection_made(self, transport: Any) -> None:
        self.event_handler.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.sessions.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        """``DATA``."""
        if self.event_handler.fault == "cut-before-data":
            _cut(self)
            return
        await super().smtp_DATA(arg)


class _Imap:
    """One conversation."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._folder: Folder | None = None
        self._inside = False

    async def talk(self) -> None:
        """Until LOGOUT."""
        self._say("* OK mail.test ready")
        while line := (await self._reader.readline()).decode():
            tag, _, rest = line.rstrip("\r\n").partition(" ")
            words = await self._words(rest)
            name = words[0].upper()
            if name == "UID":
                words = [f"UID {words[1].upper()}", *words[2:]]
                name = words[0]
            self._server.commands.append(" ".join(words))
            changing = name in {"UID STORE", "UID COPY", "UID MOVE", "UID EXPUNGE", "APPEND"}
            if changing and self._server.fault == "cut-command":
                return
            self._say(f"{tag} {await self._do(name, words[1:])}")
            await self._writer.drain()
            if name == "LOGOUT":
                return

    async def _words(self, rest: str) -> list[str]:
        """The command's words; a literal at the end is read and becomes the last ones."""
        while match := re.search(r"\{(\d+)\}$", rest):
            self._say("+ go on")
            data = await self._reader.readexactly(int(match[1]))
            more = (await self._reader.readline()).decode().rstrip("\r\n")
            rest = rest[: match.start()] + '"' + _hidden(data) + '"' + more
        found = re.findall(r'"((?:\\.|[^"\\])*)"|(\([^)]*\))|(\S+)', rest)
        return [re.sub(r"\\(.)", r"\1", one) if one else two or three for one, two, three in found]

    def _say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")

    async def _do(self, name: str, words: list[str]) -> str:
        capability = "IMAP4rev1 AUTH=PLAIN" + (
            "" if self._server.fault == "no-move" else " MOVE UIDPLUS"
        )
        match name:
            case "CAPABILITY":
                self._say(f"* CAPABILITY {capability}")
                return "OK done"
            case "AUTHENTICATE":
                self._say("+ ")
                given = base64.b64decode(await self._reader.readline()).decode().split("\0")
                self._inside = given[1:] == [self._server.user, self._server.password]
                return "OK in" if self._inside else "NO [AUTHENTICATIONFAILED] no"
            case "LOGOUT":
                self._say("* BYE")
                return "OK bye"
        if not self._inside:
            return "NO log in first"
        match name:
            case "LIST":
                self._say('* LIST (\\Noselect \\HasChildren) "/" "Shared"')
                for path in self._server.folders:
                    self._say(f'* LIST (\\HasNoChildren) "/" "{path}"')
                return "OK done"
            case "SELECT" | "EXAMINE":
                return self._select(words[0])
            case "APPEND":
                return self._append(words)
        if self._folder is None or not name.startswith("UID "):
            return "BAD what?"
        return self._uid(self._folder, name, words)

    def _select(self, path: str) -> str:
        self._folder = self._server.folders.get(path)
        if self._folder is None:
            return "NO [NONEXISTENT] no such folder"
        self._say(f"* {len(self._folder.messages)} EXISTS")
        self._say(f"* OK [UIDVALIDITY {self._folder.validity}] valid")
        return "OK [READ-WRITE] opened"

    def _append(self, words: list[str]) -> str:
        folder = self._server.folders.get(words[0])
        if folder is None:
            return "NO [TRYCREATE] no such folder"
        folder.add(_shown(words[-1]), *words[1].strip("()").split())
        return "OK kept"

    def _uid(self, folder: Folder, name: str, words: list[str]) -> str:
        if name == "UID SEARCH":
            found = [
                str(one.uid)
                for number, one in enumerate(folder.messages, start=1)
                if _matches(one, number, words)
            ]
            self._say("* SEARCH " + " ".join(found))
            return "OK done"
        one = next((each for each in folder.messages if str(each.uid) == words[0]), None)
        if one is None:
            return "OK nothing there"
        number = folder.messages.index(one) + 1
        match name:
            case "UID FETCH":
                self._fetch(number, one, words[1])
            case "UID STORE":
                flags = set(words[2].strip("()").split())
                one.flags = one.flags | flags if words[1][0] == "+" else one.flags - flags
            case "UID COPY" | "UID MOVE":
                target = self._server.folders.get(words[1])
                if target is None:
                    return "NO [TRYCREATE] no such folder"
                target.add(one.raw, *one.flags)
                if name == "UID MOVE":
                    folder.messages.remove(one)
            case "UID EXPUNGE":
                if "\\Deleted" in one.flags:
                    folder.messages.remove(one)
            case _:
                return "BAD what?"
        return "OK done"

    def _fetch(self, number: int, one: Stored, wanted: str) -> None:
        if "BODY.PEEK" not in wanted:
            self._say(
                f"* {number} FETCH (UID {one.uid} FLAGS ({' '.join(sorted(one.flags))}) "
                f'INTERNALDATE "{one.internal_date}" RFC822.SIZE {len(one.raw)})'
            )
            return
        data = one.raw
        if "HEADER" in wanted:
            data = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0] + b"\r\n\r\n"
        self._writer.write(
            f"* {number} FETCH (UID {one.uid} BODY[] {{{len(data)}}}\r\n".encode() + data + b")\r\n"
        )


def _hidden(data: bytes) -> str:
    """A literal as a word that needs no care."""
    return "b64:" + base64.b64encode(data).decode()


def _shown(word: str) -> bytes:
    return base64.b64decode(word[4:]) if word.startswith("b64:") else word.encode()


def _matches(one: Stored, number: int, words: list[str]) -> bool:
    headers = read(one.raw)["headers"]
    left = list(words)
    while left:
        word = left.pop(0).upper()
        if word == "CHARSET":
            left.pop(0)
        elif match := re.fullmatch(r"(\d+):\*", word):
            if number < int(match[1]):
                return False
        elif word in {"UNSEEN", "UNDELETED"}:
            if ("\\Seen" if word == "UNSEEN" else "\\Deleted") in one.flags:
                return False
        else:
            field_name = left.pop(0) if word == "HEADER" else word
            text = _shown(left.pop(0)).decode().lower()
            within = one.raw.decode("utf-8", "replace")
            if word != "TEXT":
                within = str(headers.get(field_name.lower(), ""))
            if text not in within.lower():
                return False
    return True
