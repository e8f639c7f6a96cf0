"""``/approve/<token>``: a question, and the buttons that decide it.

Open to everyone who has the link, so the token is the right: 128 random bits, of which the database
knows a hash. The page needs no script and loads nothing; only a POST decides, so that a program
which looks at links decides nothing. Nothing of the browser's (no cookie) is believed, so another
site can't decide in somebody's name: it does not know the address.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import structlog

from junctor.app.approvals import Asked, by_token, decide
from junctor.app.core import Core
from junctor.errors import Conflict, JunctorError, NotFound
from junctor.runtime.approvals import APPROVE

__all__ = ["ApprovalPage", "Turns"]

log = structlog.get_logger("junctor.approvals")

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_LONGEST_BODY = 64 * 1024
MOST_A_MINUTE = 120
"""Requests of one address."""
MOST_ADDRESSES = 10_000

_STYLE = """
:root { color-scheme: light dark; font: 17px/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.35rem; line-height: 1.35; margin: .25rem 0 1rem; white-space: pre-line;
  overflow-wrap: anywhere; }
.who, .until { color: GrayText; font-size: .9rem; margin: 0; }
.details { white-space: pre-line; overflow-wrap: anywhere; border-left: 3px solid GrayText;
  padding-left: .9rem; margin: 0 0 1.5rem; }
.wrong { border: 1px solid; border-radius: .5rem; padding: .6rem .9rem; }
label { display: block; margin: 1rem 0 .25rem; }
textarea, input { box-sizing: border-box; width: 100%; font: inherit; padding: .55rem .7rem;
  border: 1px solid GrayText; border-radius: .5rem; }
.choices { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0; }
button { flex: 1 1 9rem; min-height: 3rem; font: inherit; font-weight: 600; padding: .6rem 1rem;
  border: 1px solid GrayText; border-radius: .5rem; cursor: pointer; background: Canvas;
  color: CanvasText; }
button:first-child { background: #1f5fbf; border-color: #1f5fbf; color: #fff; }
:focus-visible { outline: 3px solid #6ea8fe; outline-offset: 2px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ).encode(),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cache-control", b"no-store"),
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Junctor</title><style>{style}</style></head>
<body><main>{content}</main></body></html>
"""


class Turns:
    """How many requests an address has made in this minute; ``clock`` in seconds."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._minute = 0
        self._counts: dict[str, int] = {}

    def over(self, address: str) -> bool:
        """Counts one more; whether that is too many."""
        minute = int(self._clock() // 60)
        if minute != self._minute or len(self._counts) > MOST_ADDRESSES:
            self._minute, self._counts = minute, {}
        self._counts[address] = self._counts.get(address, 0) + 1
        return self._counts[address] > self._most


class ApprovalPage:
    """A bare ASGI application for the paths below ``/approve/``."""

    def __init__(self, core: Core, turns: Turns | None = None) -> None:
        self._core = core
        self._turns = turns or Turns(MOST_A_MINUTE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        token = str(scope["path"]).removeprefix(APPROVE)
        method = scope["method"]
        client = scope.get("client") or ("",)
        if self._turns.over(str(client[0])):
            await _say(send, 429, "Too many requests", "Try again in a minute.", method=method)
        elif not _TOKEN.fullmatch(token):
            await _say(send, 404, *_UNKNOWN, method=method)
        elif method not in {"GET", "HEAD", "POST"}:
            await _say(send, 405, "Not here", "Open this address in a browser.", method=method)
        else:
            try:
                await self._answer(token, method, receive, send)
            except NotFound:
                await _say(send, 404, *_UNKNOWN, method=method)
            except Exception as error:
                log.exception("approval_page_failed", error=type(error).__name__)
                await _say(send, 500, "Not decided", "Junctor failed here; try again.")

    async def _answer(self, token: str, method: str, receive: Any, send: Any) -> None:
        asked = await by_token(self._core, token)
        if asked.answered_at is not None:
            await _say(send, 200 if method != "POST" else 409, *_decided(asked), method=method)
            return
        if asked.over:
            await _say(send, 410, *_OVER, method=method)
            return
        if method != "POST":
            await _show(send, 200, asked.question.question, _form(asked), method=method)
            return
        body = await _body(receive)
        if body is None:
            await _say(send, 413, "Not decided", "The comment is too long.")
            return
        given = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        name = given.get("name", "").strip()
        try:
            chosen = await decide(
                self._core,
                asked,
                given.get("decision", ""),
                comment=given.get("comment", ""),
                by=name or "link",
                actor="approval link",
            )
        except Conflict:
            asked = await by_token(self._core, token)
            said = _decided(asked) if asked.answered_at is not None else _OVER
            await _say(send, 409, *said)
        except JunctorError as error:
            content = _form(asked, wrong=error.message, given=given)
            await _show(send, 400, asked.question.question, content)
        else:
            await _say(
                send, 200, "Thank you", f"Your decision is recorded: {chosen}. "
                "You can close this page.",
            )  # fmt: skip


_UNKNOWN = (
    "Nothing to decide here",
    "Its question is not known, or not open yet. If you got it just now, try again in a moment.",
)
_OVER = ("This is over", "Nobody can decide this any more: its time is over, or it was given up.")


def _decided(asked: Asked) -> tuple[str, str]:
    assert asked.answered_at is not None
    when = f"{asked.answered_at:%Y-%m-%d %H:%M} UTC"
    return "Already decided", f"This was decided on {when}. The first decision counts."


def _form(asked: Asked, *, wrong: str = "", given: dict[str, str] | None = None) -> str:
    question, known = asked.question, given or {}
    who = f"{asked.scenario} · {asked.organization}" if asked.scenario else asked.organization
    parts = [
        f'<p class="who">{html.escape(who)} asks</p>',
        f"<h1>{html.escape(question.question)}</h1>",
    ]
    if question.details:
        parts.append(f'<p class="details">{html.escape(question.details)}</p>')
    if wrong:
        parts.append(f'<p class="wrong" role="alert">{html.escape(wrong)}</p>')
    parts.append('<form method="post">')
    if question.comment != "none":
        needed = question.comment == "required"
        label = "Comment" if needed else "Comment (optional)"
        parts.append(
            f'<label for="comment">{label}</label><textarea id="comment" name="comment" rows="3" '
            f'maxlength="4000"{" required" if needed else ""}>'
            f"{html.escape(known.get('comment', ''))}</textarea>"
        )
    name = html.escape(known.get("name", ""), quote=True)
    parts.append(
        '<label for="name">Your name (optional)</label>'
        f'<input id="name" name="name" maxlength="200" autocomplete="name" value="{name}">'
    )
    buttons = "".join(
        f'<button name="decision" value="{html.escape(each, quote=True)}">{html.escape(each)}'
        "</button>"
        for each in question.choices
    )
    parts.append(f'<div class="choices">{buttons}</div></form>')
    parts.append(f'<p class="until">Open until {asked.until:%Y-%m-%d %H:%M} UTC.</p>')
    return "".join(parts)


async def _body(receive: Any) -> bytes | None:
    """The request's body; ``None`` if it is too long."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LONGEST_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


async def _say(send: Any, status: int, title: str, text: str, *, method: str = "GET") -> None:
    content = f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
    await _show(send, status, title, content, method=method)


async def _show(send: Any, status: int, title: str, content: str, *, method: str = "GET") -> None:
    page = _PAGE.format(title=html.escape(title[:80]), style=_STYLE, content=content)
    body = page.encode()
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
    if status == 429:
        headers.append((b"retry-after", b"60"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
