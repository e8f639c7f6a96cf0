"""Server and worker are replaced while calls come in: none is refused, and all have their run."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from junctor.app.handover import inherited, listen, tell_ready
from junctor.app.supervisor import Child, Supervisor, junctor_command
from tests.durability import kit, outages
from tests.durability.outages import Crowd, answering, once
from tests.integration.runtime.door import SET, WEBHOOK, Door, flow, idle, plant_hook, request
from tests.integration.runtime.test_waits import sends
from tests.support import SOURCE, asynchronous, run

SENDERS = 8
NEVER = [sys.executable, "-c", "raise SystemExit(3)"]
SYSTEMD = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.executable, [sys.executable, "-m", "junctor", "server"])
"""


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    return {
        "PYTHONPATH": str(SOURCE.parent),
        "JUNCTOR_DATABASE_URL": url,
        "JUNCTOR_DATA_DIR": str(folder),
        "JUNCTOR_SPOOL_DIR": str(folder / "spool"),
        "JUNCTOR_MASTER_KEY": f"test:{base64.b64encode(bytes(32)).decode()}",
        **more,
    }


class Sender(outages.Sender):
    """A new connection for every call; whatever goes wrong with one is kept."""

    def __init__(self, path: str, first: int, step: int) -> None:
        super().__init__(path, first, step)
        self.broken: list[str] = []

    async def send(self, ports: list[int]) -> None:
        while ports:
            number, self.next = self.next, self.next + self.step
            data = request(
                self.path, json.dumps({"n": number}).encode(), content_type="application/json"
            )
            try:
                answer = await Door(ports[-1], None).raw(data)  # type: ignore[arg-type]  # only its wire
            except (OSError, EOFError) as error:
                self.broken.append(repr(error))
                self.unanswered.append(number)
                continue
            if answer.status == 200:
                self.acknowledged.append(number)
            else:
                self.refused[number] = answer.status


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(folder)
    try:
        yield supervisor
    finally:
        await supervisor.stop()


def test_a_rolling_restart_refuses_and_loses_nothing(database_url: str, tmp_path: Path) -> None:
    async def check() -> None:
        sock = listen("127.0.0.1", 0)
        port = sock.getsockname()[1]
        async with kit.vendor() as vendor, supervised(tmp_path) as supervisor:
            env = environment(
                database_url, tmp_path, JUNCTOR_EGRESS_ALLOW=f"127.0.0.1:{vendor.port}"
            )
            command = junctor_command("server", "--fd", str(sock.fileno()))
            server = Child(
                "server", command, env, (sock.fileno(),), retire=signal.SIGQUIT, retire_seconds=30
            )
            worker = Child("worker", junctor_command("worker"), env, retire=signal.SIGTERM)
            path = plant_hook(database_url, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            supervisor.start(server)
            supervisor.start(worker)
            await answering(port)
            first = [server.pid, worker.pid]
            crowd = Crowd(path, port, size=SENDERS, kind=Sender)
            await crowd.more(50)
            assert await supervisor.reload() is None
            second = [server.pid, worker.pid]
            assert None not in second
            assert not set(first) & set(second)
            await kit.until(lambda: not any(psutil.pid_exists(pid) for pid in first if pid))
            await crowd.more(50)
            await crowd.stop()
            await idle(database_url)
            for sender in crowd.senders:
                assert isinstance(sender, Sender)
                assert (sender.broken, sender.refused, sender.unanswered) == ([], {}, [])
            once(database_url, vendor, crowd)
        sock.close()

    run(check())


@asynchronous
async def test_what_does_not_start_replaces_nothing(tmp_path: Path) -> None:
    heard: list[str] = []
    supervisor = Supervisor(tmp_path, on_event=lambda name, what: heard.append(f"{name} {what}"))
    forever = [sys.executable, "-c", "import time\nwhile True: time.sleep(1)"]
    child = Child("c", forever, retire=signal.SIGTERM)
    other = Child("d", forever)
    supervisor.start(child)
    supervisor.start(other)
    await kit.until(lambda: child.pid is not None and other.pid is not None)
    before = [child.pid, other.pid]
    child.command = NEVER
    assert await supervisor.reload() == "c"
    assert [child.pid, other.pid] == before
    assert heard == ["c was not replaced: the new one ended (exit code 3)"]
    await supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in before if pid)


def test_a_socket_of_systemd_is_used(database_url: str, tmp_path: Path) -> None:
    async def check() -> None:
        sock = listen("127.0.0.1", 0)
        fd = sock.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SYSTEMD,
            str(fd),
            env={**os.environ, **environment(database_url, tmp_path, JUNCTOR_PORT="1")},
            pass_fds=(fd,),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await answering(sock.getsockname()[1])
            process.send_signal(signal.SIGQUIT)
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            sock.close()

    run(check())


def test_sockets_of_another_process_are_left_alone() -> None:
    assert inherited({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) == []
    assert inherited({"LISTEN_FDS": "1"}) == []
    assert inherited({}) == []


def test_readiness_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, told = os.pipe()
    monkeypatch.setenv("JUNCTOR_INTERNAL_READY", str(told))
    tell_ready()
    tell_ready()
    assert os.read(heard, 10) == b"1"
    assert os.read(heard, 10) == b""
    os.close(heard)


def test_several_may_bind_one_port_if_they_say_so() -> None:
    with listen("127.0.0.1", 0, reuse_port=True) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port, reuse_port=True) as second:
            assert second.getsockname()[1] == port
