"""Throw: a failure on purpose, for the module's error handler or to stop the run."""

from __future__ import annotations

from typing import Annotated, Literal

from junctor.connectors.tools.base import builtin
from junctor.errors import (
    BundleInvalid,
    DataError,
    DuplicateData,
    JunctorError,
    Misconfigured,
    RateLimited,
    Reconnect,
    VendorUnavailable,
)
from junctor.language.connector import Bundle, Field

__all__ = ["throw"]

Type = Literal[
    "DataError",
    "BundleValidationError",
    "DuplicateDataError",
    "ConnectionError",
    "RateLimitError",
    "InvalidAccessTokenError",
    "InvalidConfigurationError",
    "RuntimeError",
]

_ERRORS: dict[str, type[JunctorError]] = {
    "DataError": DataError,
    "BundleValidationError": BundleInvalid,
    "DuplicateDataError": DuplicateData,
    "ConnectionError": VendorUnavailable,
    "RateLimitError": RateLimited,
    "InvalidAccessTokenError": Reconnect,
    "InvalidConfigurationError": Misconfigured,
}


@builtin.module("Throw an error", kind="transform", name="Throw")
def throw(
    message: Annotated[
        str, Field(label="Message", help="What history, error handlers and notifications show.")
    ],
    type: Annotated[  # noqa: A002 - the field's name
        Type,
        Field(
            label="Type",
            help="What `error.type` reads in an error handler. A run that stops at a "
            "ConnectionError or a RateLimitError is tried again by itself.",
        ),
    ] = "DataError",
) -> Bundle:
    """Fails on purpose, with your message: put a filter before it, and a handler on it if the run
    should not stop here.
    """
    raise _ERRORS.get(type, JunctorError)(message)
