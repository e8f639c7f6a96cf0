"""What the machine says of itself."""

from __future__ import annotations

import os
import socket

from junctor.adapters.system import process_name


def test_processes_of_all_kinds_are_named_alike() -> None:
    assert process_name("server") == f"{socket.gethostname()}:server:{os.getpid()}"
    assert process_name("worker-1").split(":")[1:] == ["worker-1", str(os.getpid())]
