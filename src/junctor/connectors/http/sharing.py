"""How the HTTP modules send: with the cookies that a run shares, if they say so, and for files."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from typing import Any

from junctor.connectors.http.building import FILE_BYTES, file_name, raise_refusal
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.connector import Ask, Request, Response
from junctor.language.cookies import Cookie
from junctor.language.files import IN_MEMORY

__all__ = ["JAR", "Exchange", "Steps", "exchange", "fetch", "shares"]

JAR = "http.cookies"
"""What the jar is called among what the modules of a run share."""

Exchange = Generator[Request | Ask, Any, Response]
Steps = Generator[Request | Ask, Any, Any]
"""What a module does: requests, and what it remembers; its value is the bundle."""


def exchange(request: Request, *, share: bool) -> Exchange:
    """Sends a request, with the run's cookies if they are shared; keeps those of the answer."""
    if not share:
        plain: Response = yield request
        return plain
    kept = (yield ReadState("run", shared=JAR)) or []
    jar = tuple(Cookie(*row) for row in kept)
    response: Response = yield dataclasses.replace(request, cookies=jar)
    if response.cookies != jar:
        yield WriteState([list(cookie) for cookie in response.cookies], "run", shared=JAR)
    return response


def fetch(request: Request, *, share: bool, stop: bool) -> Steps:
    """Fetches a file, as a bundle. ``stop``: a refusal is an error."""
    request = dataclasses.replace(request, max_bytes=FILE_BYTES, keep_above=IN_MEMORY, raises=False)
    response = yield from exchange(request, share=share)
    if stop:
        raise_refusal(response, request)
    return {
        "fileName": file_name(response),
        "data": response.content(),
        "statusCode": response.status,
        "headers": dict(response.headers),
        "fileSize": response.size,
    }


def shares(mapper: Mapping[str, Any]) -> bool:
    """Whether a placed module keeps the run's cookies."""
    return mapper.get("shareCookies") in (True, "true")
