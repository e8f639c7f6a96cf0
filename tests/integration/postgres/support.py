"""A catalog on a test's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from junctor.adapters.postgres.catalog import PostgresCatalog
from junctor.adapters.postgres.database import pool
from junctor.ports.catalog import Catalog


@asynccontextmanager
async def catalog_on(url: str) -> AsyncIterator[Catalog]:
    async with pool(url, "api", 1, 3) as api, pool(url, "engine", 1, 3) as engine:
        yield PostgresCatalog(api, engine)
