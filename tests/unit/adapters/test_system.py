"""What the machine says of itself."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from junctor.adapters.system import process_name


def test_processes_of_all_kinds_are_named_alike(tmp_path: Path) -> None:
    name = process_name("server", proc=tmp_path)  # where nothing tells of namespaces
    assert name == f"{socket.gethostname()}:server:{os.getpid()}"
    assert process_name("worker-1").split(":")[1] == "worker-1"


def test_a_container_is_told_from_another_of_the_same_host(tmp_path: Path) -> None:
    (tmp_path / "self/ns").mkdir(parents=True)
    space = tmp_path / "self/ns/pid"
    space.touch()
    name = process_name("server", proc=tmp_path)
    assert name == f"{socket.gethostname()}:server:{os.getpid()}.{space.stat().st_ino:x}"
