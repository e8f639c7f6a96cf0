"""Large files through a run: how much memory a download and an upload take.

    PYTHONPATH=src python bench/streams.py [megabytes, 1024 unless told]

A vendor on loopback gives a file of that length and takes it back, as a raw body and as a part of a
form. Between them it is where runs keep files: sealed chunks in the wheel's Postgres, with its usual
durability. The vendor is a process of its own; memory is that of the process that does what a worker
does. What is printed first is a ratio: of the growth of peak RSS to the length of the file.

Measured on a busy machine of two cores, Python 3.11: see docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from junctor.adapters.blobs import PostgresBlobs
from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from junctor.adapters.system import system_ids
from junctor.adapters.transport import AiohttpTransport
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.language.files import IN_MEMORY, LARGEST
from junctor.language.messages import Multipart, Part, Request
from junctor.runtime.files import RunFiles

MEGABYTE = 1024 * 1024
PIECE = bytes(range(256)) * 4096


async def _vendor(megabytes: int, told: Connection) -> None:
    """Gives ``megabytes`` to a GET, and says what a PUT or POST held: its length and hash."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").lower().split("\r\n")
                if head.startswith(b"GET"):
                    length = megabytes * MEGABYTE
                    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
                    for _ in range(megabytes):
                        writer.write(PIECE)
                        await writer.drain()
                    continue
                left = length = next(int(x[15:]) for x in lines if x.startswith("content-length:"))
                digest = hashlib.sha256()
                while left:
                    piece = await reader.read(min(left, MEGABYTE))
                    digest.update(piece)
                    left -= len(piece)
                said = f"{length} {digest.hexdigest()}".encode()
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said
                )
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=MEGABYTE)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def vendor(megabytes: int, told: Connection) -> None:
    """The vendor's process."""
    asyncio.run(_vendor(megabytes, told))


def peak() -> int:
    """Bytes of the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def measure(url: str, directory: Path, port: int, megabytes: int) -> None:
    """Prints what there is to say."""
    await migrate(url)
    ids = system_ids()
    address, organization, run = f"127.0.0.1:{port}", ids.new(), ids.new()
    async with (
        pool(url, "engine", min_size=1, max_size=4) as engine,
        AiohttpTransport([address]) as transport,
    ):
        async with pool(url, "owner", min_size=1, max_size=1) as owner, owner.connection() as line:
            await line.execute(
                "insert into organizations (organization_id, name, created_by) values (%s, 'o', 't')",
                (organization,),
            )
        vault = PostgresVault(engine, MasterKeys.load(directory))
        files = RunFiles(PostgresBlobs(engine, vault), organization, run)
        small = Request(
            "GET", f"http://{address}/", max_bytes=LARGEST, keep_above=IN_MEMORY, timeout=3600
        )
        before = peak()
        began = time.perf_counter()
        kept = (await transport.send(small, files)).file
        assert kept is not None
        assert kept.size == megabytes * MEGABYTE
        rows = [("download", megabytes / (time.perf_counter() - began), peak() - before)]
        digest = hashlib.sha256()
        for _ in range(megabytes):
            digest.update(PIECE)
        part = Multipart((Part("file", kept, filename="large.bin"),))
        for name, method, body in (("upload, raw", "PUT", kept), ("upload, form", "POST", part)):
            began = time.perf_counter()
            request = Request(method, f"http://{address}/", body=body, timeout=3600)
            length, said = (await transport.send(request, files)).text().split()
            rows.append((name, megabytes / (time.perf_counter() - began), peak() - before))
            if body is kept:
                assert (int(length), said) == (kept.size, digest.hexdigest())
        worst = max(grown for _, _, grown in rows)
        print(f"peak memory grew by {worst / kept.size:.1%} of the file's {megabytes:,} MB")
        for name, speed, grown in rows:
            print(f"{name:13} {speed:7,.0f} MB/s   peak RSS + {grown / MEGABYTE:,.0f} MB")


def main(megabytes: int) -> None:
    """Starts the vendor and Postgres, measures, and ends them."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=vendor, args=(megabytes, theirs), daemon=True
    )
    process.start()
    with tempfile.TemporaryDirectory(prefix="junctor-streams-") as folder:
        directory = Path(folder)
        with Embedded(directory) as cluster:
            asyncio.run(measure(cluster.url, directory, ours.recv(), megabytes))
    process.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
