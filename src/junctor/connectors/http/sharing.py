"""Cookies that the HTTP modules of a run share, if they say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from typing import Any

from junctor.language.asks.records import ReadState, WriteState
from junctor.language.connector import Ask, Request, Response
from junctor.language.cookies import Cookie

__all__ = ["JAR", "Exchange", "Steps", "exchange", "shares"]

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


def shares(mapper: Mapping[str, Any]) -> bool:
    """Whether a placed module keeps the run's cookies."""
    return mapper.get("shareCookies") in (True, "true")
