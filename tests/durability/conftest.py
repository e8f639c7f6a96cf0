"""What the tests of this folder share."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator

import pytest
import structlog

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from tests.support import server_folder


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log entries are kept, not drawn."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Embedded]:
    """A server of the module's own that flushes what it commits, to be killed."""
    folder = server_folder()
    server = Embedded(folder, settings={"shared_buffers": "32MB", "max_connections": "50"})
    try:
        asyncio.run(migrate(server.start()))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
