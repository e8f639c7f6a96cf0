"""What a vendor's complete answer means: bundles, or which error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from junctor.errors import (
    DataError,
    JunctorError,
    RateLimited,
    Reconnect,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language.connector import Bundle, Connector, Effect, ModuleDef, Response
from junctor.language.retry import LONGEST_DELAY

__all__ = ["bundles_of", "dig", "half_done", "named", "refusal", "retry_after"]


def refusal(connector: Connector | None, response: Response, effect: Effect) -> JunctorError:
    """The error that a complete answer outside 2xx stands for.

    429 and 503 are refusals: nothing was done. Any other 5xx leaves open whether something was; for
    an effect that must not be repeated that is `Uncertain`.
    """
    if connector is not None and connector.errors is not None:
        known = connector.errors(response)
        if known is not None:
            return known
    reason = _reason(connector, response)
    status = response.status
    if status == 401:
        return Reconnect(
            f"The vendor refused the connection (401): {reason.rstrip('.')}. Reconnect the account."
        )
    if status == 429:
        return RateLimited(
            f"The vendor refused for now: too many requests ({reason}).",
            retry_after=retry_after(response),
            reason=reason,
        )
    if status >= 500 and status != 503 and effect == "once":
        return Uncertain(f"The vendor answered {status} ({reason}); whether it acted is unknown")
    if status >= 500:
        error = VendorUnavailable(f"The vendor answered {status}: {reason}", status=status)
        error.retry_after = retry_after(response)
        return error
    return VendorRefused(status=status, reason=reason)


def named(error: JunctorError, connector: Connector | None, module: ModuleDef) -> JunctorError:
    """The same error, saying whose it is: the labels of connector and module lead its message and
    are among its parameters. Field, value and the vendor's words are in the rest.
    """
    label = connector.label if connector is not None else module.connector
    where = f"{label}, {module.label}: "
    error.params = {"connector": label, "module": module.label, **error.params}
    if not error.message.startswith(where):
        error.message = where + error.message
        error.args = (error.message,)
    return error


def half_done(error: JunctorError) -> Uncertain:
    """A failure after the vendor had acted: doing it again would do it twice."""
    return Uncertain(f"The vendor acted, and then this failed: {error.message}")


def retry_after(response: Response) -> float | None:
    """Seconds until the vendor wants to hear from us again, if its headers say so; `LONGEST_DELAY`
    at most.

    ``Retry-After`` in seconds or as a date (RFC 9110 §10.2.3); else HighLevel's window length,
    ``X-RateLimit-Interval-Milliseconds``, which its documentation names in place of it.
    """
    text = response.headers.get("retry-after", "").strip()
    if text:
        seconds = _seconds(text)
    else:
        interval = response.headers.get("x-ratelimit-interval-milliseconds", "")
        seconds = float(interval) / 1000 if interval.isdecimal() else None
    return None if seconds is None else min(max(0.0, seconds), LONGEST_DELAY)


def _seconds(text: str) -> float | None:
    """What ``Retry-After`` says; ``None`` if it can't be read."""
    try:
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):  # no date, or one that no clock has
        return None


def bundles_of(module: ModuleDef, response: Response) -> list[Bundle]:
    """The bundles in a good answer: a search's items, or the one object of an action."""
    content = response.json() if response.body.strip() else {}
    found = dig(content, module.items) if module.items else content
    if module.kind in {"search", "trigger"}:
        if found is None:
            return []
        if not isinstance(found, list):
            raise DataError(
                reason=f"a list was expected at {module.items or 'the top'} of the answer"
            )
        return [_bundle(item) for item in found]
    return [_bundle(found)]


def dig(content: Any, dotted: str) -> Any:
    """What lies at a dotted path of nested objects, or ``None``."""
    for key in dotted.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(key)
    return content


def _bundle(item: Any) -> Bundle:
    if isinstance(item, dict):
        return item
    return {} if item is None else {"value": item}


def _reason(connector: Connector | None, response: Response) -> str:
    if connector is not None and connector.error_text is not None:
        text = connector.error_text(response)
        if text:
            return text
    return next(_texts(response), "no reason given")[:500]


def _texts(response: Response) -> Iterator[str]:
    """Candidates for a reason: the usual keys of JSON errors, then the text itself."""
    try:
        content = response.json()
    except DataError:
        content = None
    for key in ("message", "error", "detail", "error_message", "title"):
        found = dig(content, key)
        if isinstance(found, dict):
            found = found.get("message")
        if isinstance(found, list):
            found = "; ".join(str(item) for item in found)
        if isinstance(found, str) and found:
            yield found
    text = response.text().strip()
    if text:
        yield text
