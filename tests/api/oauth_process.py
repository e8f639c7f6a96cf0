"""A process of its own that uses one connection many times at once; prints the statuses.

``python -m tests.api.oauth_process DATA_DIR DATABASE_URL ALLOW ORGANISATION CONNECTION PATH``
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from junctor.app.core import open_core
from junctor.app.settings import Settings
from junctor.errors import RateLimited
from junctor.language.connector import Request, Response

TIMES = 10


def say(*words: object) -> None:
    """A line for the test that reads us."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(data_dir: str, url: str, allow: str, organization: str, id_: str, path: str) -> None:
    settings = Settings(data_dir=Path(data_dir), egress_allow=(allow,))
    async with open_core(settings, url) as core:
        account = await core.accounts.get(UUID(organization), UUID(id_))
        say("ready")
        sys.stdin.readline()

        async def call() -> Response:
            while True:  # a hundred of us together want more than the vendor permits
                try:
                    return await core.accounts.send_as(account, Request("GET", path))
                except RateLimited as error:
                    await asyncio.sleep(error.retry_after or 1.0)

        answers = await asyncio.gather(*(call() for _ in range(TIMES)))
        say(*sorted({answer.status for answer in answers}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
