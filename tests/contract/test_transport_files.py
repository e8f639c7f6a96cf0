"""Files as streams: sent from where they are kept, kept as they come, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from raw_server import RawServer

from junctor.adapters.transport import AiohttpTransport
from junctor.errors import DataError, Uncertain, Unsupported
from junctor.language.connector import Multipart, Part, Request, Response
from junctor.language.files import File
from junctor.runtime.files import RunFiles
from junctor.testing.blobs import FakeBlobs

Story = Callable[[RawServer, AiohttpTransport, RunFiles], Awaitable[Any]]
RUN = UUID(int=3)


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def whole(files: RunFiles, file: File) -> bytes:
    return b"".join([piece async for piece in files.pieces(file)])


def play(story: Story) -> tuple[Any, FakeBlobs]:
    blobs = FakeBlobs()

    async def run() -> Any:
        server = RawServer()
        await server.start()
        try:
            async with AiohttpTransport([server.address]) as transport:
                return await story(server, transport, RunFiles(blobs, UUID(int=1), RUN))
        finally:
            await server.stop()

    return asyncio.run(run()), blobs


def fetched(behaviour: str, **options: Any) -> tuple[Response, FakeBlobs]:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        return await transport.send(Request("GET", server.url(behaviour), **options), files)

    return play(story)


def test_a_kept_file_is_a_body_with_its_length() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        file = await files.keep(pieces(b"a" * 100_000, b"b" * 100_000))
        answer = await transport.send(Request("PUT", server.url("echo"), body=file), files)
        return server.requests, answer

    ([sent], answer), _ = play(story)
    assert answer.body == b"a" * 100_000 + b"b" * 100_000
    assert b"\r\nContent-Length: 200000\r\n" in sent
    assert b"chunked" not in sent


def test_a_kept_file_is_a_part_among_others() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        file = await files.keep(pieces(b"0123456789" * 1000))
        url = server.url("echo")
        for data in (file, b"0123456789" * 1000):
            named = Part("file", data, filename="p.jpg")
            body = Multipart((Part("name", b"photo"), named, Part("last", b"z")))
            await transport.send(Request("POST", url, body=body), files)
        return server.requests

    (streamed, held), _ = play(story)

    def bare(request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        boundary = head.partition(b"boundary=")[2][:32]
        lines = sorted(head.replace(boundary, b"B").split(b"\r\n"))
        return b"\n".join(lines) + body.replace(boundary, b"B")

    assert bare(streamed) == bare(held)


def test_a_redirect_sends_the_file_again() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        file = await files.keep(pieces(b"again"))
        url = server.url("redirect/307/|echo")
        return await transport.send(Request("PUT", url, body=file, redirects=1), files)

    answer, _ = play(story)
    assert answer.body == b"again"


def test_a_file_that_is_not_kept_here_is_not_sent() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        stranger = File(b"n" * 16, 5)
        parts = Multipart((Part("f", stranger, filename="f"),))
        for body in (stranger, parts):
            with pytest.raises(DataError, match="belongs to the run that fetched it"):
                await transport.send(Request("POST", server.url("echo"), body=body), files)
        with pytest.raises(Unsupported, match="only a run has files"):
            await transport.send(Request("POST", server.url("echo"), body=stranger))
        return server.connections

    assert play(story)[0] == 0


def test_a_long_answer_is_kept_and_a_short_one_is_not() -> None:
    short, blobs = fetched("zeros/1000", keep_above=1000)
    assert (len(short.body), short.file, blobs.stored) == (1000, None, {})
    long, blobs = fetched("zeros/300001", keep_above=1000)
    assert long.file is not None
    assert (long.body, long.size) == (b"", 300_001)
    assert list(blobs.stored.values()) == [bytes(300_001)]


@pytest.mark.parametrize("behaviour", ["long-cut/300000", "long-cut-chunked/300000"])
def test_a_download_that_is_cut_off_is_an_error_and_leaves_nothing(behaviour: str) -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        with pytest.raises(Uncertain, match="outcome is unknown"):
            await transport.send(Request("GET", server.url(behaviour), keep_above=1000), files)

    _, blobs = play(story)
    assert blobs.stored == {}


@pytest.mark.parametrize("behaviour", ["zeros/300000", "endless"])
def test_a_file_over_the_limit_is_an_error_and_leaves_nothing(behaviour: str) -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        request = Request("GET", server.url(behaviour), keep_above=1000, max_bytes=200_000)
        with pytest.raises(Uncertain, match="longer than 200000 bytes") as caught:
            await transport.send(request, files)
        return caught.value.params["limit"]

    limit, blobs = play(story)
    assert (limit, blobs.stored) == (200_000, {})


def test_where_no_files_are_kept_a_long_answer_is_too_long() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, _files: RunFiles) -> Any:
        request = Request("GET", server.url("zeros/2000"), keep_above=1000, max_bytes=5000)
        with pytest.raises(Uncertain, match="longer than 1000 bytes"):
            await transport.send(request)

    play(story)


def test_a_file_is_asked_for_as_it_is() -> None:
    async def story(server: RawServer, transport: AiohttpTransport, files: RunFiles) -> Any:
        await transport.send(Request("GET", server.url("echo"), keep_above=10), files)
        return server.requests

    [sent], _ = play(story)
    assert b"\r\nAccept-Encoding: identity\r\n" in sent
