"""A vendor that does nothing: answers every request with 300 bytes of JSON, after a delay if asked.

python bench/dummy.py PORT [DELAY_MS]
"""

from __future__ import annotations

import asyncio
import sys

import httptools
import uvloop

ANSWER = b'{"ok":true,"id":"d-1","pad":"' + b"x" * 268 + b'"}'
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    + str(len(ANSWER)).encode()
    + b"\r\n\r\n"
    + ANSWER
)
DELAY = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0


class Dummy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        if DELAY:
            asyncio.get_running_loop().call_later(DELAY, self.reply)
        else:
            self.reply()

    def reply(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(REPLY)  # type: ignore[attr-defined]  # it is a stream's transport


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(
        Dummy, "127.0.0.1", int(sys.argv[1]), backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
