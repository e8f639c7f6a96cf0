"""The one sink of logs: lines of data, redacted by name and by value before anything is cut.

Standard error and every log stream (`app.log_stream`) take their lines from the same chain.

Library loggers (uvicorn, psycopg) come through the same chain. Secrets are masked where a key's
name says so (``token``, ``password`` …) and where a text holds what looks like one (a bearer
token, a key in a URL).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from junctor.app.lean import absent
from junctor.language import ids
from junctor.language.connector import Secret
from junctor.runtime.telemetry import WORKING

# structlog loads rich for colourful traces, which no log of ours has: a fifth of a second of CPU
# in every process.
with absent("rich"):
    import structlog

__all__ = ["FORMATS", "MASK", "configure", "line", "quiet", "redact", "redact_bundle", "streamed"]

FORMATS = ("json", "text")

MASK = "[redacted]"

NAMES = re.compile(
    r"secret|passw|token|authoriz|api[-_]?key|private|signature|cookie|credential|\bkey\b",
    re.IGNORECASE,
)
BUNDLE_NAMES = re.compile(
    r"passw(or)?d|client[-_]?secret|authorization|api[-_]?key|(access|refresh|bearer)[-_]?token|cookie",
    re.IGNORECASE,
)
TEXTS = re.compile(
    r"(?i)(?P<keep>\b(?:bearer|basic)\s+|\b(?:key|token|api_?key|secret|password)=)"
    r"(?P<drop>[^\s&@\"',]+)"
)
USERINFO = re.compile(r"(?P<keep>://[^/\s:@]*:)(?P<drop>[^/\s@]+)(?=@)")
"""A password in an address; a port, which no ``@`` follows, is none."""
OURS = re.compile(r"(?P<keep>\bjct_[A-Za-z0-9_-]{2}|/hook/|/approve/)(?P<drop>[A-Za-z0-9_-]{6,})")


def redact(value: Any, name: str = "") -> Any:
    """The same data with secrets masked, for logs and errors; nested data to a depth of 8."""
    return _redact(value, name, 8, NAMES)


def redact_bundle(value: Any) -> Any:
    """The same bundle with secrets masked, for people and API.

    Vendors' data have harmless fields called *key* or *token*; only unmistakable names are masked.
    """
    return _redact(value, "", 64, BUNDLE_NAMES)


def _redact(value: Any, name: str, depth: int, names: re.Pattern[str]) -> Any:
    if isinstance(value, Secret) or (value is not None and name and names.search(name)):
        return MASK
    if isinstance(value, str):
        text = value
        for pattern in (TEXTS, USERINFO, OURS):
            text = pattern.sub(lambda match: match["keep"] + MASK, text)
        return text
    if depth == 0:
        return "…" if isinstance(value, (Mapping, list, tuple)) else value
    if isinstance(value, Mapping):
        return {key: _redact(item, str(key), depth - 1, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact(item, "", depth - 1, names) for item in value]
    return value


def _redactor(_logger: Any, _method: str, event: Any) -> Any:
    return {
        key: item if key.startswith("_") else redact(item, str(key)) for key, item in event.items()
    }


def quiet() -> None:
    """For commands that people run: only warnings, unless `configure` was called before."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                _redactor,
                structlog.dev.ConsoleRenderer(
                    colors=False, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            # What standard error is at the time: it may have been redirected since.
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )


def line(event: Mapping[str, Any]) -> str:
    """A line of JSON of an event that was not logged but goes where logs go; redacted like them."""
    return msgspec.json.encode(
        {key: redact(item, str(key)) for key, item in event.items()}
    ).decode()


_SHOWN = {"run": "run", "scenario": "scn", "hook": "hok", "connection": "con"}
"""Whose ids stand in log lines, and how they begin everywhere else."""


def _placed(_logger: Any, _method: str, event: Any) -> Any:
    """Names the run that this line is about, and writes ids as commands and API do."""
    work = WORKING.get()
    if work is not None:
        event.setdefault("run", work[0])
        event.setdefault("scenario", work[1])
    for name, prefix in _SHOWN.items():
        value = event.get(name)
        if isinstance(value, str) and len(value) == 36:
            try:
                value = UUID(value)
            except ValueError:
                continue
        if isinstance(value, UUID):
            event[name] = ids.show(prefix, value)
    return event


def _of_process(process: str, _logger: Any, _method: str, event: Any) -> Any:
    """Names the process, in whatever thread something is logged."""
    if process:
        event.setdefault("process", process)
    return event


def configure(level: str = "info", *, process: str = "", form: str = "json") -> None:
    """Sends every log line of this process to standard error, redacted: as JSON, or with ``form``
    ``text`` for people's eyes.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _placed,
        partial(_of_process, process),
        _redactor,
    ]
    handler = logging.StreamHandler(sys.stderr)
    renderer: Any = structlog.processors.JSONRenderer()
    if form == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    handler.setFormatter(_formatter(shared, renderer))
    _STREAMED.formatter = _formatter(shared, structlog.processors.JSONRenderer())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("asyncio", "psycopg.pool"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _Streamed:
    """How lines are written that leave by a stream: as JSON, whatever standard error shows."""

    formatter: logging.Formatter | None = None


_STREAMED = _Streamed()


def _formatter(shared: list[Any], renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared[:-1], structlog.stdlib.ExtraAdder(), _redactor],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def streamed(handler: logging.Handler) -> None:
    """Gives a handler every line from now on, as redacted JSON. `configure` comes before."""
    assert _STREAMED.formatter is not None
    handler.setFormatter(_STREAMED.formatter)
    logging.getLogger().addHandler(handler)
