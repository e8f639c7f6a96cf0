"""A service on loopback that a command line may reach."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Speaker(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(handler: type[Speaker], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its origin, which may be called; connectors are kept in a folder below this one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("JUNCTOR_EGRESS_ALLOW", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("JUNCTOR_CONNECTORS_DIR", str(folder / "connectors"))
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
