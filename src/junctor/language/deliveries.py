"""What a hook receives and answers, and how one address serves all of a vendor's app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from junctor.errors import DataError

__all__ = ["ACCEPTED", "Answer", "AppHook", "Delivery", "Installed", "Verifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One call that a hook received."""

    id: str
    method: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: datetime
    remote: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The hook's own settings, secrets left out."""
    url: str = ""
    """The address it was sent to, as the world knows it, with its query. Only known at the door,
    for verifiers of signatures that cover it; it holds a secret."""

    def json(self) -> Any:
        """The body as JSON; `DataError` if it isn't."""
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError) as error:
            raise DataError(reason=f"the body is not valid JSON ({error})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a hook's caller is sent."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/plain; charset=utf-8"),)
    body: bytes = b"Accepted"


ACCEPTED = Answer()

Verifier = Callable[[Delivery, Mapping[str, Any]], None]
"""Raises `errors.Unauthorized` if a delivery isn't genuine; the mapping is the hook's settings with
its secrets. Chosen from `junctor.language.verifiers`, never written by connectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What a delivery says of the app itself."""

    accounts: frozenset[str]
    """Whose; as in `AppHook.accounts`."""
    at: datetime
    """When it happened, as the vendor says."""
    installed: bool
    """False: removed, and all it was allowed has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppHook:
    """One address for everything that a vendor tells an app of the organisation's own. What comes
    is handed on to each instant trigger of the connector whose connection is of that app and of an
    account that it concerns, if the trigger makes bundles of it. All functions are pure.

    Accounts are texts of the connector's choosing, as `OAuth.account` gives them.
    """

    kind: str
    """The kind of connection that stands for the app."""
    app: Callable[[Mapping[str, Any]], str]
    """What deliveries call the app of a connection with these settings; empty: there is none."""
    accounts: Callable[[Mapping[str, Any], str], tuple[str, ...]]
    """From a connection's settings and the account that allowed it (empty: none has): the account
    it works in, then those by whose permission it does."""
    verify: Verifier
    named: Callable[[Delivery], str]
    """Which app a delivery is for, as it says; empty: it doesn't."""
    concerns: Callable[[Delivery], frozenset[str]]
    """The accounts that a delivery is about."""
    installed: Callable[[Delivery], Installed | None] = lambda _delivery: None
    """What a delivery says of the app itself, if it does."""
    settings: type
    """A frozen dataclass: the address's own form, without secrets."""
    unnamed: str = ""
    """The setting that lets deliveries through which name no app."""
    help: str = ""
    """Where its owner enters the address."""
