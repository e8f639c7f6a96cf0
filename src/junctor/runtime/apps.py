"""Apps' addresses by their token: kept ready for the door, with the hooks that may be handed on to.

Who wants what is never trusted blindly: whoever stores by it compares its generation.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import structlog

from junctor.adapters.postgres.fanout import AppRow, PostgresFanout
from junctor.adapters.postgres.hot import is_lost
from junctor.errors import JunctorError, NotFound
from junctor.language.connector import AppHook, Connector
from junctor.runtime.hooks import KEEP_SECONDS, Away, Hook, Hooks

__all__ = ["App", "Apps"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """An app's address, ready to receive."""

    row: AppRow
    definition: AppHook
    label: str
    until: float
    by_account: dict[str, list[Hook]] = field(default_factory=dict)


class Apps:
    """Finds apps' addresses. ``ready``: those once known can be used while the database is away."""

    def __init__(
        self,
        rows: PostgresFanout,
        hooks: Hooks,
        connector: Callable[[str], Connector | None],
        *,
        ready: bool = False,
    ) -> None:
        self._rows = rows
        self._hooks = hooks
        self._connector = connector
        self._ready = ready
        self._apps: dict[str, App] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """Something about hooks changed: the database is asked before any is used again."""
        if self._ready:
            # An outage may come before it is asked: then what was known must serve.
            self._apps = {token: replace(app, until=0.0) for token, app in self._apps.items()}
        else:
            self._apps.clear()
        self._forgotten += 1

    def drop(self, token: str, app: App) -> None:
        """This one is out of date."""
        if self._apps.get(token) is app:
            self._apps[token] = replace(app, until=0.0)

    def knows(self, token: str) -> bool:
        """Whether it can be used without the database."""
        return token in self._apps

    async def make_ready(self, tokens: Iterable[str], pause: float = 0.005) -> None:
        """Prepares these, and drops all others; gently, as others are at work."""
        wanted = set(tokens)
        for token in [token for token in self._apps if token not in wanted]:
            del self._apps[token]
        for token in wanted:
            try:
                await self.get(token)
            except JunctorError as error:
                log.info("app_hook_not_ready", error=error.message)
            await asyncio.sleep(pause)

    async def get(self, token: str, *, away: bool = False) -> App:
        """The address; `NotFound` if there is none, or none in use.

        ``away``: the database can't be asked, so what was known must do; `Away` for all others.
        """
        kept = self._apps.get(token)
        if kept is not None and (away or kept.until > time.monotonic()):
            return kept
        if away:
            raise Away
        before = self._forgotten
        try:
            app = await self._load(token)
        except NotFound:
            self._apps.pop(token, None)
            raise
        except Exception as error:
            if kept is None or not is_lost(error):
                raise
            return kept  # nothing can be stored with it before the database is back
        if before == self._forgotten:
            self._apps[token] = app
        return app

    async def _load(self, token: str) -> App:
        row = await self._rows.app_hook(token) if token.isalnum() else None
        connector = self._connector(row.connector) if row is not None else None
        if row is None or not row.enabled or connector is None or connector.app_hook is None:
            raise NotFound(what="An app's hook at this address")
        await self._hooks.keep_ring(row.organization_id)
        definition = connector.app_hook
        until = time.monotonic() + KEEP_SECONDS * random.uniform(1, 2)
        app = App(row, definition, connector.label, until)
        for each in await self._rows.subscribers(row):
            if each.connection_kind != definition.kind:
                continue
            if definition.app(each.connection_settings) != row.app:
                continue
            accounts = definition.accounts(each.connection_settings, each.account_id or "")
            if not accounts:
                continue
            trigger = f"{each.connector}:{each.kind}"
            try:
                hook = await self._hooks.prepare(
                    each.organization_id, each.id, each.scenario_id, trigger,
                    each.settings, each.sealed, each.published,
                )  # fmt: skip
            except JunctorError as error:
                log.warning("no_subscriber", hook=str(each.id), error=error.message)
                continue
            # Only where it works: what concerns the agency alone is no event of its sub-account.
            app.by_account.setdefault(accounts[0], []).append(hook)
        return app
