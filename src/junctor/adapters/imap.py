"""A mailbox over IMAP4rev1 (RFC 3501): what is asked for, quoted so that nothing else can be.

Blocking; `adapters.mail` runs it in a thread. Folder names are people's, and travel in the
protocol's own UTF-7.
"""

from __future__ import annotations

import base64
import imaplib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from junctor.errors import DataError, NotFound, Reconnect, VendorRefused
from junctor.language.mail import MOST_BYTES

__all__ = ["ImapSession", "from_wire", "to_wire"]

_NEWEST = 5_000
"""A search looks among so many of a folder."""
_LIST = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?P<delimiter>\\?.)"|NIL) (?P<name>.*)', re.DOTALL)
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_PLAIN = re.compile(r"[^\x20-\x7e]+")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


class ImapSession:
    """A client that is connected. ``acting(True)`` is told before anything is changed."""

    LONGEST = MOST_BYTES + 1024 * 1024
    """The most bytes the server may send as one value."""

    def __init__(self, client: imaplib.IMAP4, *, acting: Callable[[bool], None]) -> None:
        self._client = client
        self._tell = acting
        self.valid = 0
        """UIDVALIDITY of the folder last opened."""

    def login(self, host: str, user: str, password: str) -> None:
        """`Reconnect` if the server refuses."""
        if _UNSAFE.search(user + password):
            raise Reconnect(f"The user name or password for {host} holds a control character.")
        ascii_only = (user + password).isascii()
        try:
            if "AUTH=PLAIN" in self._client.capabilities:
                self._client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            elif ascii_only:
                self._client.login(_quoted(user), password)
            else:
                raise Reconnect(f"{host} takes only ASCII user names and passwords.")
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise Reconnect(
                f"{host} refused the user name or password: {_said(error.args)}", host=host
            ) from None
        # Some servers offer more only to who is logged in.
        kind, found = self._client.capability()
        if kind == "OK" and found and found[-1]:
            self._client.capabilities = tuple(found[-1].decode("ascii", "replace").upper().split())

    def folders(self) -> list[dict[str, str]]:
        """Every folder that can be opened: path, and name without what it lies in."""
        found = []
        for line in self._good(self._client.list(), "listing the folders"):
            if isinstance(line, tuple):  # the name came as a literal
                line = line[0][: line[0].rindex(b"{")] + line[1]  # noqa: PLW2901  # the same line, put together
            match = _LIST.match(line or b"")
            if match is None or b"\\noselect" in match["flags"].lower():
                continue
            path = from_wire(_unquoted(match["name"]))
            delimiter = (match["delimiter"] or b"").decode("ascii", "replace")[-1:]
            name = path.rpartition(delimiter)[2] if delimiter else path
            found.append({"path": path, "name": name})
        return found

    def select(self, folder: str, *, writable: bool = False) -> int:
        """Opens a folder; how many messages it has. `NotFound`."""
        try:
            kind, data = self._client.select(_quoted(to_wire(folder)), readonly=not writable)
        except imaplib.IMAP4.readonly:
            raise VendorRefused(f"The folder '{folder}' can only be read.", status="NO") from None
        if kind != "OK":
            raise NotFound(f"The folder '{folder}' can't be opened: {_said(data)}")
        _, valid = self._client.response("UIDVALIDITY")
        self.valid = _number(valid)
        return _number(data)

    def search(self, folder: str, criteria: dict[str, str], *, unseen: bool) -> list[int]:
        """UIDs in a folder, newest first. ``criteria``: ``FROM``, ``TO``, ``SUBJECT``, ``TEXT`` or
        ``HEADER Message-ID``, with what they must contain.
        """
        count = self.select(folder)
        if not count:
            return []
        asked = [f"{max(1, count - _NEWEST + 1)}:*", "UNDELETED"]
        if unseen:
            asked.append("UNSEEN")
        beyond = {name: text for name, text in criteria.items() if not text.isascii()}
        for name, text in criteria.items():
            if name not in beyond:
                asked += [name, _quoted(text)]
        found = self._uids(self._client.uid("SEARCH", *asked))
        for name, text in beyond.items():
            # One literal a command is all that the client can send: so one command for each.
            self._client.literal = text.encode()  # type: ignore[assignment]  # the client wants bytes
            found &= self._uids(self._client.uid("SEARCH", "CHARSET", "UTF-8", *asked[:1], name))
        return sorted(found, reverse=True)

    def fetch(self, folder: str, uid: int) -> tuple[bytes, dict[str, Any], bool] | None:
        """A message, what the server knows of it, and whether its body was left out as too long;
        ``None`` if it is gone.
        """
        self.select(folder)
        known = self._first(
            self._client.uid("FETCH", _uid(uid), "(UID FLAGS INTERNALDATE RFC822.SIZE)")
        )
        if known is None:
            return None
        facts = _facts(known[0] if isinstance(known, tuple) else known)
        short = facts["size"] <= MOST_BYTES
        part = "BODY.PEEK[]" if short else "BODY.PEEK[HEADER]"
        answer = self._first(self._client.uid("FETCH", _uid(uid), f"(UID {part})"), literal=True)
        return (answer[1], facts, not short) if isinstance(answer, tuple) else None

    def flag(self, folder: str, uid: int, flags: dict[str, bool]) -> None:
        r"""Sets (true) and takes back (false) flags such as ``\Seen``."""
        self._open(folder, uid)
        for name, wanted in flags.items():
            with self._acting():
                sign = "+" if wanted else "-"
                self._good(
                    self._client.uid("STORE", _uid(uid), f"{sign}FLAGS.SILENT", f"({name})"),
                    "marking the message",
                )

    def copy(self, folder: str, uid: int, target: str) -> None:
        """Copies a message."""
        self._open(folder, uid)
        with self._acting():
            self._to(target, self._client.uid("COPY", _uid(uid), _quoted(to_wire(target))))

    def move(self, folder: str, uid: int, target: str) -> None:
        """Moves a message (RFC 6851), or copies and deletes it where that is unknown."""
        self._open(folder, uid)
        with self._acting():
            if "MOVE" in self._client.capabilities:
                self._to(target, self._client.uid("MOVE", _uid(uid), _quoted(to_wire(target))))
            else:
                self._to(target, self._client.uid("COPY", _uid(uid), _quoted(to_wire(target))))
                self._remove(uid)

    def delete(self, folder: str, uid: int, *, expunge: bool) -> None:
        """Marks a message deleted, and removes it."""
        self._open(folder, uid)
        with self._acting():
            self._remove(uid, expunge=expunge)

    def append(self, folder: str, message: bytes, flags: str) -> None:
        """Puts a message into a folder."""
        with self._acting():
            self._to(folder, self._client.append(_quoted(to_wire(folder)), flags, "", message))

    def _remove(self, uid: int, *, expunge: bool = True) -> None:
        deleted = self._client.uid("STORE", _uid(uid), "+FLAGS.SILENT", "(\\Deleted)")
        self._good(deleted, "deleting the message")
        # Without UIDPLUS an EXPUNGE would also remove what others have marked: it stays marked.
        if expunge and "UIDPLUS" in self._client.capabilities:
            self._good(self._client.uid("EXPUNGE", _uid(uid)), "removing the message")

    def _open(self, folder: str, uid: int) -> None:
        self.select(folder, writable=True)
        if self._first(self._client.uid("FETCH", _uid(uid), "(UID)")) is None:
            raise DataError(reason=f"there is no message {uid} in the folder '{folder}'")

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """A change is asked for. A complete no is no doubt; a cut connection is."""
        self._tell(True)
        try:
            yield
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            self._tell(False)
            raise VendorRefused(
                f"The mail server refused: {_said(error.args)}", status="BAD"
            ) from None
        self._tell(False)

    def _good(self, answer: tuple[str, list[Any]], what: str) -> list[Any]:
        kind, data = answer
        if kind != "OK":
            self._tell(False)
            raise VendorRefused(f"The mail server refused {what}: {_said(data)}", status=kind)
        return [item for item in data if item is not None]

    def _to(self, target: str, answer: tuple[str, list[Any]]) -> None:
        kind, data = answer
        if kind != "OK":
            self._tell(False)
            raise VendorRefused(
                f"The mail server can't put a message into '{target}': {_said(data)}", status=kind
            )

    def _uids(self, answer: tuple[str, list[Any]]) -> set[int]:
        found = self._good(answer, "the search")
        return {int(word) for line in found for word in line.split() if word.isdigit()}

    def _first(self, answer: tuple[str, list[Any]], *, literal: bool = False) -> Any:
        for item in self._good(answer, "reading the message"):
            if isinstance(item, tuple) or (not literal and b"UID" in item.upper()):
                return item
        return None


def to_wire(name: str) -> str:
    """A folder's name in the protocol's UTF-7 (RFC 3501 5.1.3). `DataError` if it can't be one."""
    if not name or _UNSAFE.search(name):
        raise DataError(reason=f"{name!r} can't be a folder's name")
    escaped = name.replace("&", "&-")
    return _PLAIN.sub(lambda found: f"&{_base64(found.group())}-", escaped)


def from_wire(name: str) -> str:
    """The name that people see; what isn't well formed stays as it is."""

    def shown(found: re.Match[str]) -> str:
        packed = found.group(1).replace(",", "/")
        if not packed:
            return "&"
        try:
            return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")
        except ValueError:
            return found.group()

    return _SHIFTED.sub(shown, name)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")


def _quoted(text: str) -> str:
    if _UNSAFE.search(text):
        raise DataError(reason=f"{text!r} holds a line break or another control character")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").strip()
    if text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _uid(uid: int) -> str:
    if not 0 < uid < 2**32:
        raise DataError(reason=f"{uid} can't be a message's UID")
    return str(uid)


def _number(data: Any) -> int:
    first = data[0] if data else None
    return int(first) if isinstance(first, bytes) and first.isdigit() else 0


def _facts(line: bytes) -> dict[str, Any]:
    r"""From ``1 (UID 7 FLAGS (\Seen) INTERNALDATE "…" RFC822.SIZE 200)``."""
    flags = {flag.decode("ascii", "replace").lower() for flag in imaplib.ParseFlags(line)}
    size = re.search(rb"RFC822\.SIZE (\d+)", line, re.IGNORECASE)
    written = re.search(rb'INTERNALDATE "([^"]*)"', line, re.IGNORECASE)
    at = None
    if written is not None:
        try:
            text = written[1].decode("ascii").strip()
            at = datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
        except ValueError:
            at = None
    return {
        "size": int(size[1]) if size is not None else 0,
        "receivedAt": at,
        "seen": "\\seen" in flags,
        "answered": "\\answered" in flags,
        "flagged": "\\flagged" in flags,
        "draft": "\\draft" in flags,
        "deleted": "\\deleted" in flags,
    }


def _said(data: Any) -> str:
    words = [
        item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in data
    ]
    return " ".join(" ".join(words).split())[:300]
