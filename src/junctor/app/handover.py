"""Listening sockets that outlive a server process, and the word that the next one is ready.

A socket comes from our supervisor (``--fd``), from systemd (``LISTEN_FDS``), or is made here. While
somebody else holds it too, connections wait in the system's queue for whoever accepts next: none is
refused.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Mapping

from junctor.errors import Misconfigured

__all__ = ["READY", "inherited", "listen", "raise_file_limit", "tell_ready"]

READY = "JUNCTOR_INTERNAL_READY"
"""The descriptor that our supervisor hears on."""
_FIRST = 3
"""systemd's descriptors begin here (sd_listen_fds(3))."""


def listen(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A listening socket for the servers to share; `Misconfigured` if the port is taken.

    ``reuse_port``: others that say so too may bind it at the same time; the system divides the
    connections among them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise Misconfigured(
            f"Port {port} on {host} can't be used: {error.strerror or error}. "
            "Set JUNCTOR_PORT to another one, or stop what uses it.",
            host=host,
            port=port,
        ) from error
    sock.set_inheritable(True)
    return sock


def inherited(env: Mapping[str, str] | None = None) -> list[socket.socket]:
    """Sockets that systemd listens on for us; none if it doesn't, or if they are another's."""
    env = os.environ if env is None else env
    if env.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = env.get("LISTEN_FDS", "")
    if not count.isdecimal():
        return []
    found = []
    for fd in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(fd, False)
        found.append(socket.socket(fileno=fd))
    return found


def tell_ready() -> None:
    """Tells whoever waits for this process that it works: our supervisor, and systemd."""
    fd = os.environ.pop(READY, "")
    if fd:
        with contextlib.suppress(OSError):  # it has given up on us
            os.write(int(fd), b"1")
            os.close(int(fd))
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if address:
        if address.startswith("@"):
            address = "\0" + address[1:]
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"READY=1", address)


def raise_file_limit(wanted: int) -> int:
    """Allows this process so many open files if the system lets it; how many it allows now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
