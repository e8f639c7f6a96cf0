"""``GET /oauth/callback``: where a vendor sends a person back to, with a code or a refusal.

It is open to everyone, so it knows nobody but by the state that was given to a person, once. It
redirects nowhere, and what it shows is plain text in a page that may load and run nothing.
"""

from __future__ import annotations

import html
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import structlog

from junctor.app.care import CALLBACK, authorizing
from junctor.app.core import Core
from junctor.app.logs import redact
from junctor.errors import JunctorError
from junctor.language import ids

__all__ = ["Callback", "cookie_header", "cookie_name"]

log = structlog.get_logger("junctor.oauth")

_LONGEST = 16 * 1024
_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · Junctor</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


def cookie_name(public_url: str) -> str:
    """Of the cookie that binds an authorisation to a browser."""
    return "__Host-junctor-oauth" if public_url.startswith("https://") else "junctor-oauth"


def cookie_header(public_url: str, value: str, seconds: float) -> str:
    """The ``Set-Cookie`` for it. Lax: it must come back with the vendor's redirect."""
    secure = "; Secure" if public_url.startswith("https://") else ""
    return (
        f"{cookie_name(public_url)}={value}; Path=/; Max-Age={seconds:.0f}; HttpOnly; "
        f"SameSite=Lax{secure}"
    )


class Callback:
    """A bare ASGI application for this one path."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request. Only a GET uses a state up; a HEAD is some program's curiosity."""
        del receive
        if scope["path"] != CALLBACK:
            await _show(send, 404, "Nothing is here", "This address does not exist.")
        elif scope["method"] != "GET":
            await _show(send, 405, "Only GET", "Open this address in a browser.")
        elif len(scope["query_string"]) > _LONGEST:
            await _show(send, 414, "Not connected", "The address is too long.")
        else:
            await self._end(scope, send)

    async def _end(self, scope: Any, send: Any) -> None:
        rows = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = dict(rows)
        if len(query) != len(rows):  # two codes or two states are somebody's game
            await _show(send, 400, "Not connected", "The address says something twice.")
            return
        cookie = _cookie(scope, cookie_name(self._core.settings.public_url))
        try:
            ended = await authorizing(self._core).end(query, cookie)
        except JunctorError as error:
            await _show(send, 400, "Not connected", str(redact(error.message)))
            return
        except Exception as error:
            log.exception("callback_failed", error=type(error).__name__)
            await _show(send, 500, "Not connected", "Junctor failed here. Its log says more.")
            return
        await self._core.catalog.note(
            ended.organization_id,
            actor=ended.actor,
            verb="connection.authorize",
            object=ids.show("con", ended.connection_id),
            details={"account": ended.account},
        )
        whose = f" as {ended.account}" if ended.account else ""
        text = f"{ended.connector} is connected{whose}. You can close this page."
        await _show(send, 200, "Connected", text)


def _cookie(scope: Any, name: str) -> str | None:
    for key, value in scope["headers"]:
        if key == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(name)
            except CookieError:
                continue
            if found is not None:
                return found.value
    return None


async def _show(send: Any, status: int, title: str, text: str) -> None:
    body = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
