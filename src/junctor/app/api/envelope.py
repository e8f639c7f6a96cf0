"""The one shape of every error answer.

``{"error": {"code", "message", "params", "path"?}}``: the code is stable, the message a
translation of it; ``path`` names the part of the request that is wrong.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import psycopg
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from junctor.adapters.postgres.hot import is_lost
from junctor.app.logs import redact
from junctor.errors import Fault, JunctorError

__all__ = ["HANDLERS", "Failure", "as_body", "failure_of"]

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    428: "precondition_required",
    429: "rate_limited",
}


AGAIN = 5.0
"""Seconds after which a caller of what can't be done just now should come again."""
_NUL = re.compile(r"\bNUL\b|\\u0000")
"""As psycopg and PostgreSQL name the one character that its texts can't hold."""


class Failure(JunctorError):
    """The request can't be answered.

    An error that only HTTP knows: a status, a code, and perhaps the path of what is wrong.
    """

    def __init__(self, status: int, message: str, *, path: str = "", **params: Any) -> None:
        super().__init__(message, **params)
        self.http_status = status
        self.path = path


def failure_of(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Status and envelope of any error. What is ours (a bug) says nothing of its inside."""
    if isinstance(error, Failure):
        code = _CODES.get(error.http_status, error.code)
        return error.http_status, as_body(code, error.message, error.params, error.path)
    if isinstance(error, RecursionError) and "deserializing" in str(error):  # msgspec's, on a body
        return 400, as_body("bad_request", "The body is nested too deeply to be read.", {}, "body")
    if isinstance(error, psycopg.DataError) and _NUL.search(str(error)):
        return 422, as_body("invalid", "A text holds the character NUL: leave it out.", {})
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and is_lost(error):
        return 503, as_body("unavailable", "The database can't be reached: try again soon.", {})
    if isinstance(error, Fault) or not isinstance(error, (JunctorError, HTTPException)):
        return 500, as_body("fault", "Something went wrong here; it has been logged.", {})
    if isinstance(error, JunctorError):
        params = dict(error.params)
        return error.status, as_body(error.code, error.message, params, params.pop("path", ""))
    if isinstance(error, ValidationException):
        return _invalid(error)
    if isinstance(error, NotFoundException):
        return 404, as_body("not_found", "There is nothing at this address.", {})
    if isinstance(error, MethodNotAllowedException):
        return 405, as_body("method_not_allowed", "This address has no such method.", {})
    status = error.status_code
    code = _CODES.get(status, "error" if status < 500 else "fault")
    return status, as_body(code, error.detail or code, {})


def as_body(code: str, message: str, params: dict[str, Any], path: Any = "") -> dict[str, Any]:
    """The envelope, secrets masked."""
    error: dict[str, Any] = {"code": code, "message": redact(message), "params": redact(params)}
    if path:
        error["path"] = str(path)
    return {"error": error}


def _invalid(error: ValidationException) -> tuple[int, dict[str, Any]]:
    extra = error.extra if isinstance(error.extra, list) else []
    found = [item for item in extra if isinstance(item, dict)]
    first = found[0] if found else {}
    problems = [{"path": _where(item), "message": str(item.get("message", ""))} for item in found]
    where = _where(first) if first else ""
    message = str(first.get("message") or error.detail or "The request is not valid.")
    return 422, as_body("invalid", message, {"problems": problems} if problems else {}, where)


_ASKED = {"states": "state"}
"""Query parameters that a handler takes under another name, as theirs is the framework's own."""


def _where(item: dict[str, Any]) -> str:
    """``query.limit``, ``body.name``; a body that is wrong as a whole is ``body``."""
    source = item.get("source", "")
    key = str(item.get("key", ""))
    parts = [str(getattr(source, "value", source)), _ASKED.get(key, key)]
    if parts == ["body", "data"]:
        parts.pop()
    return ".".join(part for part in parts if part)


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    status, body = failure_of(error)
    if status >= 500:
        structlog.get_logger("junctor.api").error(
            "request failed",
            method=request.method,
            path=request.url.path,
            exc_info=error if status == 500 else None,
            error=f"{type(error).__name__}: {error}",
        )
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    retry_after = getattr(error, "retry_after", None)
    if status == 503 and retry_after is None:
        retry_after = AGAIN
    if retry_after is not None:
        headers["retry-after"] = str(max(1, round(retry_after)))
    if isinstance(error, MethodNotAllowedException) and error.headers:
        headers.update({str(key).lower(): str(value) for key, value in error.headers.items()})
    return Response(
        content=msgspec.json.encode(body, enc_hook=str),
        status_code=status,
        headers=headers,
        media_type=MediaType.JSON,
    )


HANDLERS: dict[Any, Any] = {Exception: _answer, HTTPException: _answer}
"""For `litestar.Litestar(exception_handlers=…)`."""
