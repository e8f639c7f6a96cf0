"""Internet mail as values: a message read into a bundle, and one written from fields.

Pure: Message-ID, date and boundaries come in by argument or from them. Reading never fails on bad
mail (unknown charsets, broken base64, missing headers); only what would cost too much is refused.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import format_datetime, getaddresses, parseaddr, parsedate_to_datetime
from itertools import islice
from typing import Any

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle

__all__ = [
    "MOST_BYTES",
    "Attachment",
    "Outgoing",
    "addresses",
    "compose",
    "domain_of",
    "mailboxes",
    "message_id_of",
    "read",
    "recipients",
]

MOST_BYTES = 25 * 1024 * 1024
"""The longest message read or written, as it travels; what most mail servers take."""
_MOST_NESTED = 30
"""Multiparts and messages in one mail; the standard parser's time grows with their depth."""
_MOST_PARTS = 1_000
_MOST_HEADERS = 500
_LONGEST_HEADER = 16 * 1024
_LONGEST_PARAMETERS = 4 * 1024
"""Of a content type or disposition: reading them takes time by the square of it."""
_LONGEST_HEAD = 256 * 1024
_MOST_RECIPIENTS = 500

_CONTAINER = re.compile(
    rb"^content-type[ \t]*:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE
)
_PARAMETERS = re.compile(
    rb"^content-(?:type|disposition)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE
)
_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All that Python takes for the end of a line, and what can't be sent at all."""
_ID = re.compile(r"<[^<>\s]+>")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\U0010ffff]+")
_HOST = re.compile(r"\[[0-9A-Fa-f.:]+\]|[A-Za-z0-9.\-\u0080-\U0010ffff]+")
_PRIORITY = {"1": "high", "2": "high", "3": "normal", "4": "low", "5": "low"}
_IMPORTANCE = {"high": ("1", "High"), "low": ("5", "Low")}
_OURS = frozenset(
    {
        "bcc", "cc", "content-transfer-encoding", "content-type", "date", "from", "in-reply-to",
        "message-id", "mime-version", "references", "reply-to", "sender", "subject", "to",
    }
)  # fmt: skip
"""Headers that have a field of their own, or are made; a mapped one may not say them twice."""


# Reading


def read(raw: bytes) -> Bundle:
    """A message as a bundle.

    ``{"messageId", "date", "subject", "from": {"address", "name"}, "sender", "to", "cc", "bcc",
    "replyTo", "inReplyTo", "references", "priority", "text", "html", "headers", "attachments"}``.
    ``headers`` has lower-case names, and an array where one occurs more than once; an attachment is
    ``{"fileName", "contentType", "contentId", "contentDisposition", "size", "data"}``. Raises
    `DataError` on more than 30 nested parts or 1,000 parts.
    """
    if len(_CONTAINER.findall(raw)) > _MOST_NESTED:
        raise DataError(reason=f"the mail has more than {_MOST_NESTED} nested parts")
    raw = _PARAMETERS.sub(lambda found: found.group()[:_LONGEST_PARAMETERS], raw)
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
    except RecursionError:
        raise DataError(reason="the mail's parts are nested too deeply") from None
    bundle = _head(message)
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    attachments: list[Bundle] = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind in texts and not _is_attachment(part):
            texts[kind].append(_text(part))
        else:
            attachments.append(_attachment(part, len(attachments) + 1))
    bundle["text"] = "\n".join(texts["text/plain"])
    bundle["html"] = "\n".join(texts["text/html"])
    bundle["attachments"] = attachments
    return bundle


def message_id_of(raw: bytes) -> str:
    """What is the same when the same mail comes again: its Message-ID, else a hash of it all."""
    head = re.split(rb"\r?\n\r?\n", raw[:_LONGEST_HEAD], maxsplit=1)[0]
    found = _ids(_line(BytesHeaderParser(policy=policy.compat32).parsebytes(head), "message-id"))
    return found[0] if found else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _head(message: Message) -> Bundle:
    headers: dict[str, Any] = {}
    for number, (name, value) in enumerate(message.raw_items()):
        if number >= _MOST_HEADERS:
            break
        text, key = _decoded(value), name.lower()
        if key not in headers:
            headers[key] = text
        elif isinstance(headers[key], list):
            headers[key].append(text)
        else:
            headers[key] = [headers[key], text]
    ids = _ids(_line(message, "message-id"))
    replied = _ids(_line(message, "in-reply-to"))
    said = _line(message, "x-priority").strip()[:1]
    return {
        "messageId": ids[0] if ids else "",
        "date": _date(_line(message, "date")),
        "subject": _decoded(next(_raw(message, "subject"), "")),
        "from": _first(message, "from"),
        "sender": _first(message, "sender"),
        "to": _all(message, "to"),
        "cc": _all(message, "cc"),
        "bcc": _all(message, "bcc"),
        "replyTo": _all(message, "reply-to"),
        "inReplyTo": replied[0] if replied else "",
        "references": _ids(_line(message, "references")),
        "priority": _PRIORITY.get(said) or _line(message, "importance").strip().lower() or "normal",
        "headers": headers,
    }


def _line(message: Message, name: str) -> str:
    """A header's raw text, unfolded."""
    return re.sub(r"[\r\n]+", "", next(_raw(message, name), ""))


def _raw(message: Message, name: str) -> Iterator[str]:
    """A header's values as they came, bytes beyond ASCII as surrogates."""
    for key, value in message.raw_items():
        if key.lower() == name:
            yield str(value)[:_LONGEST_HEADER]


def _decoded(value: Any) -> str:
    """A header for people: encoded words decoded, raw bytes as UTF-8."""
    text = re.sub(r"\r?\n[ \t]*", " ", _mended(str(value)[:_LONGEST_HEADER]))
    text = re.sub(r"[\r\n]", " ", text)
    try:
        pieces = decode_header(text)
    except (HeaderParseError, binascii.Error, ValueError):
        return text
    return "".join(
        # What stands between encoded words comes in an encoding of Python's own.
        _bytes_text(piece, charset or "raw-unicode-escape") if isinstance(piece, bytes) else piece
        for piece, charset in pieces
    ).strip()


def _mended(text: str) -> str:
    """Bytes that the parser kept as surrogates, as UTF-8."""
    return _bytes_text(text.encode("utf-8", "surrogateescape"), "utf-8")


def _bytes_text(data: bytes, charset: str) -> str:
    try:
        return data.decode("utf-8" if charset == "unknown-8bit" else charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _ids(text: str) -> list[str]:
    return _ID.findall(text)[:_MOST_HEADERS]


def _all(message: Message, name: str) -> list[Bundle]:
    lines = list(islice(_raw(message, name), 20))
    unfolded = [re.sub(r"[\r\n]+", "", line) for line in lines]
    try:
        found = getaddresses(unfolded)
    except RecursionError:  # comments in comments in comments
        return []
    return [
        {"address": _mended(address), "name": _decoded(shown)}
        for shown, address in found
        if address
    ]


def _first(message: Message, name: str) -> Bundle:
    found = _all(message, name)
    return found[0] if found else {"address": "", "name": ""}


def _leaves(message: Message) -> Iterator[Message]:
    """Parts without parts, in order; an attached message is one part."""
    waiting: list[Message] = [message]
    given = 0
    while waiting:
        part = waiting.pop()
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting.extend(reversed([child for child in inner if isinstance(child, Message)]))
            continue
        given += 1
        if given > _MOST_PARTS:
            raise DataError(reason=f"the mail has more than {_MOST_PARTS} parts")
        yield part


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _data(part: Message) -> bytes:
    inner = part.get_payload()
    if isinstance(inner, list):  # an attached message
        return b"\n".join(child.as_bytes() for child in inner if isinstance(child, Message))
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: Message) -> str:
    charset = part.get_content_charset("utf-8")
    return _bytes_text(_data(part), charset).replace("\r\n", "\n")


def _attachment(part: Message, number: int) -> Bundle:
    data = _data(part)
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "")
    ending = ".eml" if kind == "message/rfc822" else ""
    return {
        "fileName": re.sub(r"[/\\\x00-\x1f]", "_", name) or f"attachment-{number}{ending}",
        "contentType": kind,
        "contentId": str(part.get("content-id", "")).strip().strip("<>"),
        "contentDisposition": part.get_content_disposition() or "",
        "size": len(data),
        "data": data,
    }


# Writing


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along; with a Content-ID the HTML may show it as ``cid:…``."""

    name: str
    data: bytes
    cid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A mail to send. Addresses are ``a@b.c`` or ``Name <a@b.c>``."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    """Given, it is the content, and ``text`` its plain alternative."""
    attachments: tuple[Attachment, ...] = ()
    from_: str = ""
    """Empty: the connection's address."""
    sender: str = ""
    reply_to: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    priority: str = "normal"
    headers: tuple[tuple[str, str], ...] = ()


def mailboxes(field: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    """Names and addresses. `BundleInvalid` on what isn't one, and on hidden line breaks."""
    found = []
    for text in texts:
        for name, address in getaddresses([clean(field, text)]) or [("", "")]:
            local, at, host = address.rpartition("@")
            if not (at and _ATOM.fullmatch(local) and _HOST.fullmatch(host)):
                raise BundleInvalid(field=field, reason=f"{text!r} is not an e-mail address")
            found.append((name, address))
    if len(found) > _MOST_RECIPIENTS:
        raise BundleInvalid(field=field, reason=f"more than {_MOST_RECIPIENTS} addresses")
    return found


def addresses(field: str, texts: Iterable[str]) -> tuple[str, ...]:
    """The bare addresses; raises as `mailboxes`."""
    return tuple(address for _, address in mailboxes(field, texts))


def recipients(mail: Outgoing) -> tuple[str, ...]:
    """Everyone it goes to, each once. `BundleInvalid` if that is nobody."""
    everyone = (
        *addresses("to", mail.to), *addresses("cc", mail.cc), *addresses("bcc", mail.bcc)
    )  # fmt: skip
    if not everyone:
        raise BundleInvalid(field="to", reason="no recipient; give at least one address")
    return tuple(dict.fromkeys(everyone))


def clean(field: str, text: str) -> str:
    """The text, trimmed. `BundleInvalid` if it could end its header line and begin another."""
    text = text.strip()
    if _CONTROL.search(text):
        raise BundleInvalid(
            field=field,
            reason="it holds a line break or another control character, which a mail's header "
            "can't; remove it, for example with replace()",
        )
    return text


def compose(mail: Outgoing, *, message_id: str, date: datetime, bcc: bool = False) -> bytes:
    """The message as it travels (CRLF). The same arguments give the same bytes.

    ``bcc`` keeps the blind copies in the head (for a copy in one's own folder). Raises
    `BundleInvalid` on bad fields and `DataError` if it is longer than `MOST_BYTES`.
    """
    if sum(len(item.data) for item in mail.attachments) * 4 // 3 > MOST_BYTES:
        raise DataError(reason=f"the attachments are together over {MOST_BYTES * 3 // 4:,} bytes")
    if len(mail.text) + len(mail.html) > MOST_BYTES:
        raise DataError(reason=f"the content is over {MOST_BYTES:,} letters")
    message = EmailMessage(policy=policy.SMTP)
    message["Message-ID"] = message_id
    message["Date"] = format_datetime(date)
    for name, field, boxes in (
        ("From", "from", (mail.from_,)),
        ("Sender", "sender", (mail.sender,)),
        ("Reply-To", "replyTo", (mail.reply_to,)),
        ("To", "to", mail.to),
        ("Cc", "cc", mail.cc),
        ("Bcc", "bcc", mail.bcc if bcc else ()),
    ):
        given = mailboxes(field, [box for box in boxes if box.strip()])
        if given:
            message[name] = [_address(field, *box) for box in given]
    message["Subject"] = clean("subject", mail.subject)
    if mail.in_reply_to:
        message["In-Reply-To"] = _angled("inReplyTo", mail.in_reply_to)
    if mail.references:
        message["References"] = " ".join(_angled("references", one) for one in mail.references)
    if mail.priority in _IMPORTANCE:
        message["X-Priority"], message["Importance"] = _IMPORTANCE[mail.priority]
    for name, value in mail.headers:
        _custom(message, name, value)
    try:
        _content(message, mail)
    except UnicodeEncodeError as error:
        raise BundleInvalid(
            field="html" if mail.html else "text", reason=f"it can't be sent as UTF-8 ({error})"
        ) from None
    _bound(message, message_id)
    raw = message.as_bytes()
    if len(raw) > MOST_BYTES:
        raise DataError(reason=f"the mail is {len(raw):,} bytes long, over {MOST_BYTES:,}")
    return raw


def _address(field: str, name: str, address: str) -> Address:
    local, _, host = address.rpartition("@")
    try:
        # Mail servers know a domain by its ASCII form; what stands before the @ is their business.
        host = host if host.isascii() else host.encode("idna").decode()
        return Address(name, local, host)
    except (ValueError, HeaderParseError) as error:
        raise BundleInvalid(field=field, reason=f"{address!r} can't be written ({error})") from None


def _angled(field: str, text: str) -> str:
    inner = clean(field, text).strip("<>")
    if " " in inner:
        raise BundleInvalid(field=field, reason=f"{text!r} is not one Message-ID")
    return f"<{inner}>"


def _custom(message: EmailMessage, name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise BundleInvalid(field="headers", reason=f"{name!r} can't be a header's name")
    if name.lower() in _OURS:
        raise BundleInvalid(
            field="headers", reason=f"{name!r} has a field of its own; it can't be set here"
        )
    message[name] = clean(f"headers: {name}", value)


def _content(message: EmailMessage, mail: Outgoing) -> None:
    shown = [item for item in mail.attachments if item.cid and mail.html]
    if mail.html:
        if mail.text:
            message.set_content(mail.text)
            message.add_alternative(mail.html, subtype="html")
            body = message.get_body(("html",))
            assert isinstance(body, EmailMessage)
        else:
            message.set_content(mail.html, subtype="html")
            body = message
        for item in shown:
            kind = _kind(item.name)
            body.add_related(
                item.data, *kind, cid=_angled("attachments: cid", item.cid),
                filename=clean("attachments: fileName", item.name), disposition="inline",
            )  # fmt: skip
    else:
        message.set_content(mail.text)
    for item in mail.attachments:
        if item not in shown:
            message.add_attachment(
                item.data, *_kind(item.name), filename=clean("attachments: fileName", item.name)
            )


_KINDS: Mapping[str, str] = {
    "csv": "text/csv", "doc": "application/msword", "gif": "image/gif", "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "ics": "text/calendar", "jpeg": "image/jpeg", "jpg": "image/jpeg", "json": "application/json",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "pdf": "application/pdf", "png": "image/png",
    "svg": "image/svg+xml", "txt": "text/plain", "wav": "audio/wav", "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml", "zip": "application/zip",
}  # fmt: skip
"""By ending; a list of our own, for the system's differs from machine to machine."""


def _kind(name: str) -> tuple[str, str]:
    ending = name.rpartition(".")[2].lower()
    main, _, sub = _KINDS.get(ending, "application/octet-stream").partition("/")
    return main, sub


def _bound(message: Message, seed: str) -> None:
    """Boundaries from the Message-ID, so that the same mail is the same bytes."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            mark = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:32]
            part.set_boundary(f"=_{mark}")


def domain_of(address: str) -> str:
    """What stands after the @, in ASCII; ``localhost`` if nothing does."""
    host = parseaddr(address)[1].rpartition("@")[2]
    try:
        return host.encode("idna").decode() if host else "localhost"
    except UnicodeError:
        return "localhost"
