"""What server, worker and commands share: pools, catalogue, vault, connectors, egress."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from junctor.adapters.blobs import PostgresBlobs
from junctor.adapters.mail import MailServers
from junctor.adapters.postgres.catalog import PostgresCatalog
from junctor.adapters.postgres.database import Pool, pool
from junctor.adapters.postgres.hot import Line
from junctor.adapters.system import system_ids
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.app.offered import registry_of
from junctor.app.sending import TransportAtFirstUse
from junctor.app.settings import Settings
from junctor.language.ids import Ids
from junctor.ports.blobs import Blobs
from junctor.ports.catalog import Catalog
from junctor.ports.transport import Transport
from junctor.ports.vault import Vault
from junctor.runtime.accounts import Accounts
from junctor.runtime.registrations import Registrations
from junctor.runtime.registry import Registry
from junctor.runtime.services import Services, Tools

__all__ = ["START_PATIENCE", "Core", "open_core"]


@dataclass(slots=True)
class Core:
    """Everything opened once per process. Pools are in the role their name says."""

    settings: Settings
    url: str
    api: Pool
    engine: Pool
    catalog: Catalog
    vault: Vault
    blobs: Blobs
    registry: Registry
    transport: Transport
    accounts: Accounts
    registrations: Registrations
    services: Services
    ids: Ids
    busy: Callable[[], bool] = lambda: False
    """Whether runs are under way in this process: what can wait leaves them the machine."""


CALLER_WAIT = 10.0
"""Seconds after which a caller is told that the database can't be reached."""
WORK_WAIT = 30.0
"""Seconds for which what works for nobody in particular waits for a connection."""
START_PATIENCE = 60.0
"""Seconds for which a server or worker that is starting waits for its database."""


@asynccontextmanager
async def open_core(
    settings: Settings, url: str, *, patience: float = 0.0, sends: bool = False
) -> AsyncIterator[Core]:
    """Opens everything, and closes it at the end of the block.

    ``patience``: seconds for which a database that can't be reached is waited for. ``sends``: what
    sends requests is loaded now, and not when something is first sent.
    """
    registry = registry_of(settings)
    masters = MasterKeys.load(settings.ensure_data_dir())
    async with (
        pool(url, "api", min_size=1, max_size=8, patience=patience, wait=CALLER_WAIT) as api,
        pool(
            url,
            "engine",
            min_size=1,
            max_size=4,
            patience=patience,
            wait=WORK_WAIT if sends else CALLER_WAIT,
        ) as engine,
        TransportAtFirstUse(settings.egress_allow) as way_out,
    ):
        transport: Transport = await way_out.ready() if sends else way_out
        vault = PostgresVault(engine, masters)
        catalog = PostgresCatalog(api, engine)
        line = Line(url, patience=5.0)
        mail = MailServers(settings.egress_allow)
        accounts = Accounts(line, vault=vault, transport=transport, connector=registry.connector)
        try:
            yield Core(
                settings=settings,
                url=url,
                api=api,
                engine=engine,
                catalog=catalog,
                vault=vault,
                blobs=PostgresBlobs(engine, vault),
                registry=registry,
                transport=transport,
                accounts=accounts,
                registrations=Registrations(
                    catalog,
                    accounts,
                    module=registry.find,
                    connector=registry.connector,
                    public_url=settings.public_url,
                    mail_host=settings.mail_domain,
                ),
                services=Services(
                    Tools(line=line, transport=transport, mail=mail, public_url=settings.public_url)
                ),
                ids=system_ids(),
            )
        finally:
            mail.close()
            await accounts.close()
            await line.close()
