"""Where log streams go: files that are rotated, syslog (RFC 5424), webhooks.

    file:/var/log/junctor.ndjson?size=16000000&keep=5
    syslog+udp://10.0.0.5:514   syslog+tcp://…   syslog+tls://logs.example.com:6514
    https://collector.example.com/junctor

A file is one process': its name gets the process' name, and a number if that is taken too. A
webhook is called through the one egress, so a private address must be allowed there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import hashlib
import hmac
import logging
import logging.handlers
import os
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

from junctor.adapters.transport import AiohttpTransport
from junctor.app.log_stream import Destination, Line, Outlet, Unwanted
from junctor.app.settings import Settings
from junctor.errors import Misconfigured
from junctor.language.connector import Request
from junctor.ports.transport import Transport

__all__ = ["FileTarget", "SyslogTarget", "WebhookTarget", "outlets", "parse"]

SIZE = 16 * 1024 * 1024
KEEP = 5
"""Old files beside the current one."""
FACILITY = 16
"""local0"""
LONGEST_DATAGRAM = 60_000
PATIENCE = 10.0
"""Seconds for one batch over the network."""
_PORTS = {"syslog+udp": 514, "syslog+tcp": 601, "syslog+tls": 6514}
_NEVER = frozenset({400, 404, 405, 410, 413, 415, 422})
"""Answers after which the same batch would get the same answer."""


def outlets(settings: Settings, process: str) -> list[Outlet]:
    """The outlets of all destinations that are set; `Misconfigured` if one can't be meant."""
    made = [parse(address, settings, process) for address in settings.log_stream]
    return [Outlet(destination, kind) for kind, destination in made]


def parse(address: str, settings: Settings, process: str) -> tuple[str, Callable[[], Destination]]:
    """The kind of a destination, and what opens it; errors name the setting, not its secrets."""
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        size, keep = options.pop("size", str(SIZE)), options.pop("keep", str(KEEP))
        if options or not (size.isdecimal() and keep.isdecimal() and int(size) and int(keep)):
            raise _wrong(address, "size and keep are whole numbers from 1 on, and all there is")
        path = Path(unquote(parts.path))
        named = path.with_name(f"{path.stem}-{process or 'junctor'}{path.suffix or '.ndjson'}")
        return "file", partial(FileTarget, named, size=int(size), keep=int(keep))
    if parts.scheme in _PORTS and parts.hostname:
        with contextlib.suppress(ValueError):
            port = parts.port or _PORTS[parts.scheme]
            way = parts.scheme.partition("+")[2]
            return "syslog", partial(SyslogTarget, way, parts.hostname, port, process)
    if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc:
        if not settings.log_stream_secret:
            raise Misconfigured(
                "JUNCTOR_LOG_STREAM names a webhook, and nothing to sign with. "
                "Set JUNCTOR_LOG_STREAM_SECRET, and give it to who receives.",
                setting="JUNCTOR_LOG_STREAM_SECRET",
            )
        secret = settings.log_stream_secret.encode()
        opened = partial(AiohttpTransport, settings.egress_allow)
        return "webhook", partial(WebhookTarget, address, secret, opened)
    raise _wrong(
        address, "write file:/path, syslog+udp://host:port (or tcp, tls), or https://host/path"
    )


def _wrong(address: str, mend: str) -> Misconfigured:
    shown = address.partition("?")[0]
    if "@" in shown:
        shown = shown.partition(":")[0] + ":…"
    return Misconfigured(
        f"JUNCTOR_LOG_STREAM is '{shown}': {mend}.", setting="JUNCTOR_LOG_STREAM", value=shown
    )


class FileTarget:
    """Lines in a file; the file of ``size`` bytes is set aside, and ``keep`` of those are kept."""

    kind = "file"

    def __init__(self, path: Path, *, size: int = SIZE, keep: int = KEEP) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._lock = _own(path)
        self._handler = _Rotated(
            self.path, maxBytes=size, backupCount=keep, encoding="utf-8", delay=True
        )

    def send(self, lines: Sequence[Line]) -> None:
        """See `log_stream.Destination`."""
        for line in lines:
            record = logging.LogRecord("", line.level, "", 0, line.text, None, None)
            self._handler.emit(record)

    def close(self) -> None:
        """See `log_stream.Destination`."""
        self._handler.close()
        self._lock.close()


class _Rotated(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the base's
        """A full disk is told, and tried again."""
        raise  # noqa: PLE0704 - called where an error is being handled


def _own(path: Path) -> tuple[Path, IO[bytes]]:
    """A file that no other process writes, and what says so until it is closed."""
    for number in range(1, 1000):
        mine = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        lock = mine.with_name(f".{mine.name}.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return mine, lock
    raise OSError(f"too many processes write beside {path}")


class SyslogTarget:
    """RFC 5424 messages with a line each: datagrams, or counted octets (RFC 6587, 5425)."""

    kind = "syslog"

    def __init__(self, way: str, host: str, port: int, process: str) -> None:
        self._way, self._host, self._port = way, host, port
        name = "".join(char for char in process if "!" <= char <= "~")[:32]
        self._head = f"{_host()} junctor {os.getpid()} {name or '-'} -"
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[Line]) -> None:
        """See `log_stream.Destination`."""
        try:
            sock = self._open()
            messages = [self.message(line) for line in lines]
            if self._way == "udp":
                for message in messages:
                    sock.send(message[:LONGEST_DATAGRAM])
            else:
                sock.sendall(b"".join(b"%d %b" % (len(each), each) for each in messages))
        except BaseException:
            self.close()
            raise

    def message(self, line: Line) -> bytes:
        """``<PRI>1 TIMESTAMP HOST junctor PID PROCESS - {…}``"""
        severity = (
            3 if line.level >= 40 else 4 if line.level >= 30 else 6 if line.level >= 20 else 7
        )
        at = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds")
        head = f"<{FACILITY * 8 + severity}>1 {at.replace('+00:00', 'Z')} {self._head} "
        return (head + line.text).encode()

    def close(self) -> None:
        """See `log_stream.Destination`."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _open(self) -> socket.socket:
        """The connection, a new one if the collector has closed the last: what is sent after that
        is taken by this machine's network, and by nobody else.
        """
        sock = self._socket
        if sock is not None and self._way != "udp":
            # A collector says nothing but goodbye (over TLS, perhaps a session's ticket as well).
            sock.settimeout(0)
            try:
                while sock.recv(4096):
                    pass
            except (BlockingIOError, ssl.SSLWantReadError):
                sock.settimeout(PATIENCE)
                return sock
            except OSError:
                pass
            self.close()
            sock = None
        return sock or self._connect()

    def _connect(self) -> socket.socket:
        if self._way == "udp":
            family, kind, _, _, address = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_DGRAM
            )[0]
            sock = socket.socket(family, kind)
            sock.connect(address)
        else:
            sock = socket.create_connection((self._host, self._port), timeout=PATIENCE)
            if self._way == "tls":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._host)
        sock.settimeout(PATIENCE)
        self._socket = sock
        return sock


def _host() -> str:
    return "".join(char for char in socket.gethostname() if "!" <= char <= "~")[:255] or "-"


class WebhookTarget:
    """Batches of lines as NDJSON, signed as Standard Webhooks are.

    ``webhook-signature`` is ``v1,`` and the base64 of the HMAC-SHA256 of ``id.timestamp.body``. A
    batch that is sent again has the same ``webhook-id``.
    """

    kind = "webhook"

    def __init__(self, url: str, secret: bytes, transport: Callable[[], Transport]) -> None:
        self._url, self._secret = url, secret
        self._runner = asyncio.Runner()
        self._transport = transport()
        self._last: tuple[Sequence[Line], str] | None = None

    def send(self, lines: Sequence[Line]) -> None:
        """See `log_stream.Destination`."""
        if self._last is None or self._last[0] is not lines:
            self._last = lines, f"log_{uuid.uuid4().hex}"
        body = "".join(f"{line.text}\n" for line in lines).encode()
        request = Request(
            "POST",
            self._url,
            headers=signed(self._secret, self._last[1], int(time.time()), body),
            body=body,
            timeout=PATIENCE,
            max_bytes=64 * 1024,
        )
        status = self._runner.run(self._transport.send(request)).status
        if status in _NEVER:
            raise Unwanted(f"the webhook answered {status}")
        if not 200 <= status < 300:
            raise ConnectionError(f"the webhook answered {status}")
        self._last = None

    def close(self) -> None:
        """See `log_stream.Destination`."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            self._runner.run(close())
        self._runner.close()


def signed(secret: bytes, name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of a batch."""
    digest = hmac.digest(secret, f"{name}.{at}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/x-ndjson",
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
