"""Whether another process of this machine lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from junctor.adapters import neighbours
from junctor.adapters.neighbours import gone, machine, process

pytestmark = pytest.mark.skipif(not machine(), reason="this system does not tell (no Linux /proc)")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(wait, stdin=subprocess.PIPE) as made:
        yield made
        made.kill()


def test_one_that_lives_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    assert process(child.pid)
    assert not gone(process(child.pid))
    assert not gone(process(os.getpid()))


def test_one_that_sleeps_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert not gone(process(child.pid))


def test_a_dead_one_is_gone_before_and_after_its_parent_knows(
    child: subprocess.Popen[bytes],
) -> None:
    its = process(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert gone(its)  # a zombie
    child.wait()
    assert gone(its)
    assert process(child.pid) == ""


def test_another_that_got_its_number_is_not_taken_for_it(child: subprocess.Popen[bytes]) -> None:
    pid, begun = process(child.pid).split(":")
    assert gone(f"{pid}:{int(begun) - 1}")


@pytest.mark.parametrize("what", ["", "None", "12", "12:", ":7", "x:7", "-1:7", f"{10**30}:7"])
def test_of_what_names_no_process_nothing_is_known(what: str) -> None:
    assert not gone(what)


def test_of_another_namespaces_processes_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbered anew, but with the /proc of before: who is number 7 there is not our number 7."""
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("b")
    for pid in (os.getpid(), os.getpid() + 1):
        (tmp_path / f"{pid}/ns").mkdir(parents=True)
        (tmp_path / f"{pid}/ns/pid").touch()
    monkeypatch.setattr(neighbours, "_PROC", tmp_path)
    (tmp_path / "self").symlink_to(str(os.getpid()))
    assert machine()
    (tmp_path / "self").unlink()
    (tmp_path / "self").symlink_to(str(os.getpid() + 1))
    assert machine() == ""
