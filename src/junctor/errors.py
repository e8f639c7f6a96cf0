"""The whole error tree, named by what must happen next.

    JunctorError
    ├── Retry                the same thing may work later
    │   ├── NotSent          nothing left this machine (name, connect, TLS, budget): free to repeat
    │   ├── RateLimited      the vendor refused for now (429); carries ``retry_after``
    │   └── VendorUnavailable  the vendor answered 5xx, completely
    ├── Reconnect            the connection's account must be renewed (401, 403, revoked)
    ├── Skip                 this bundle is bad, others may be fine
    │   ├── ExpressionError  a template can't be parsed or evaluated
    │   ├── BundleInvalid    a mapped value is missing or of the wrong type
    │   ├── InputInvalid     a run can't be started with these inputs
    │   ├── ScenarioFailed   a scenario that was called did not finish
    │   ├── DataError        the module or the vendor refused the data
    │   ├── DuplicateData    a record of that key exists already
    │   └── VendorRefused    a complete 4xx answer
    ├── Uncertain            it was sent and its outcome is unknown: never repeated by itself
    ├── Stop                 going on is pointless until someone changes something
    │   ├── Inconsistent     what a cycle wrote can't be committed: another run changed it meanwhile
    │   ├── Misconfigured    a scenario, setting or connection is wrong
    │   ├── BlueprintInvalid a blueprint can't be read; carries problems with paths
    │   ├── Unsupported      a module or feature we do not have
    │   ├── Stopped          somebody stopped the run
    │   ├── NotFound · Conflict · Forbidden · Unauthorized · TooLarge   API answers
    │   └── StaleFence       another worker owns this work now; our writes are refused
    └── Fault                ours: a bug, reported with its trace

Every error has a stable ``code`` and ``params``; the text is only a translation of them. The class
docstring is the default message, a ``str.format`` template over ``params``.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BlueprintInvalid",
    "BundleInvalid",
    "Conflict",
    "DataError",
    "DuplicateData",
    "ExpressionError",
    "Fault",
    "Forbidden",
    "Inconsistent",
    "InputInvalid",
    "JunctorError",
    "Misconfigured",
    "NotFound",
    "NotSent",
    "RateLimited",
    "Reconnect",
    "Retry",
    "ScenarioFailed",
    "Skip",
    "StaleFence",
    "Stop",
    "Stopped",
    "TooLarge",
    "Unauthorized",
    "Uncertain",
    "Unsupported",
    "VendorRefused",
    "VendorUnavailable",
]


class JunctorError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """HTTP status when this error answers an API call."""
    make_type: ClassVar[str] = "RuntimeError"
    """What `error.type` reads in a mapping; Make's names, so that imported handlers match."""

    def __init__(self, message: str | None = None, /, **params: Any) -> None:
        self.params = params
        text = message if message is not None else (self.__doc__ or "").split("\n")[0]
        if message is None and params:
            text = text.format_map(_Lenient(params))
        self.message = text
        super().__init__(text)

    def as_record(self) -> dict[str, Any]:
        """Plain data for the journal and the API: code, type, message, params."""
        return {
            "code": self.code,
            "type": self.make_type,
            "message": self.message,
            "params": self.params,
        }


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


class Retry(JunctorError):
    """The same thing may work later."""

    code = "retry"
    status = 503
    make_type = "ConnectionError"

    retry_after: float | None = None
    """Seconds the other side asked us to wait, if it said so."""


class NotSent(Retry):
    """Could not reach {host}: {reason}. Nothing was sent."""

    code = "not_sent"


class RateLimited(Retry):
    """The vendor refused for now: too many requests."""

    code = "rate_limited"
    status = 429
    make_type = "RateLimitError"

    def __init__(
        self,
        message: str | None = None,
        /,
        *,
        retry_after: float | None = None,
        **params: Any,
    ) -> None:
        super().__init__(message, **params)
        self.retry_after = retry_after


class VendorUnavailable(Retry):
    """The vendor answered {status}."""

    code = "vendor_unavailable"


class Reconnect(JunctorError):
    """The connection was refused. Reconnect the account."""

    code = "reconnect"
    status = 502
    make_type = "InvalidAccessTokenError"


class Skip(JunctorError):
    """This bundle can't be processed."""

    code = "skip"
    status = 422
    make_type = "DataError"


class ExpressionError(Skip):
    """The expression can't be read.

    ``position`` is a 0-based offset into the template.
    """

    code = "expression"
    make_type = "BundleValidationError"


class BundleInvalid(Skip):
    """Failed to map '{field}': {reason}"""

    code = "bundle_invalid"
    make_type = "BundleValidationError"


class InputInvalid(Skip):
    """The input '{path}' can't be taken: {reason}"""

    code = "input_invalid"


class ScenarioFailed(Skip):
    """The scenario that was called has not finished its run {run}: {reason}"""

    code = "scenario_failed"
    make_type = "RuntimeError"


class DataError(Skip):
    """The data was refused: {reason}"""

    code = "data"


class DuplicateData(Skip):
    """A record '{key}' exists already: let the module overwrite it, or give another key."""

    code = "duplicate_data"
    status = 409
    make_type = "DuplicateDataError"


class VendorRefused(Skip):
    """The vendor refused with status {status}: {reason}"""

    code = "vendor_refused"


class Uncertain(JunctorError):
    """A request was sent and its outcome is unknown; it is not repeated until someone decides."""

    code = "uncertain"
    status = 409
    make_type = "ModuleTimeoutError"


class Stop(JunctorError):
    """Nothing more can be done until someone changes something."""

    code = "stop"
    status = 400
    make_type = "InvalidConfigurationError"


class Inconsistent(Stop):
    """Another run changed {what} meanwhile; nothing of this cycle was kept."""

    code = "inconsistent"
    status = 409
    make_type = "InconsistencyError"


class Misconfigured(Stop):
    """Something is set up wrongly: {reason}"""

    code = "misconfigured"


class BlueprintInvalid(Stop):
    """The blueprint can't be read: {reason}"""

    code = "blueprint_invalid"
    status = 422


class Unsupported(Stop):
    """{what} is not supported."""

    code = "unsupported"
    status = 501


class Stopped(Stop):
    """{actor} stopped the run."""

    code = "stopped"
    status = 409
    make_type = "ExecutionInterruptedError"


class NotFound(Stop):
    """{what} was not found."""

    code = "not_found"
    status = 404


class Conflict(Stop):
    """{what} was changed by someone else, or exists already."""

    code = "conflict"
    status = 409


class Forbidden(Stop):
    """This token may not do that."""

    code = "forbidden"
    status = 403


class Unauthorized(Stop):
    """A valid API token is needed."""

    code = "unauthorized"
    status = 401


class TooLarge(Stop):
    """{what} is larger than {limit} bytes."""

    code = "too_large"
    status = 413
    make_type = "MaxFileSizeExceededError"


class StaleFence(Stop):
    """Another worker owns this work now; nothing was written."""

    code = "stale_fence"
    status = 409


class Fault(JunctorError):
    """A bug in Junctor or a connector: {reason}"""

    code = "fault"
    make_type = "UnexpectedError"
