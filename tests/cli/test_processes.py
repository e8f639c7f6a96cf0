"""Real processes: children kept alive and ended; the whole demo, checked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from junctor.app.handover import listen
from junctor.app.settings import Settings, is_free
from junctor.app.supervisor import Child, Supervisor
from junctor.errors import Misconfigured
from tests.support import SOURCE, asynchronous, server_folder

FOREVER = "import time\nwhile True: time.sleep(1)"
PARENT = """
import asyncio, pathlib, sys
from junctor.app.supervisor import Child, Supervisor
async def main():
    supervisor = Supervisor(pathlib.Path(sys.argv[1]))
    child = Child(name="c", command=[sys.executable, "-c", sys.argv[2]])
    supervisor.start(child)
    while child.pid is None:
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
    return {**kept, "PYTHONPATH": str(SOURCE.parent), **more}


async def until(look: Any, *, within: float = 120.0) -> None:
    async with asyncio.timeout(within):
        while not look():
            await asyncio.sleep(0.01)


@asynchronous
async def test_a_child_that_dies_is_started_again_and_ends_with_us(tmp_path: Path) -> None:
    heard: list[str] = []
    supervisor = Supervisor(tmp_path, on_event=lambda name, what: heard.append(f"{name} {what}"))
    child = Child(name="c", command=[sys.executable, "-c", FOREVER])
    supervisor.start(child)
    await until(lambda: child.pid is not None)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in {None, first})
    second = child.pid
    assert second is not None
    assert heard == ["c ended (signal SIGKILL); restarting"]
    await supervisor.stop()
    assert not psutil.pid_exists(second)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
@asynchronous
async def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), FOREVER,
        stdout=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        with pytest.raises(Misconfigured, match="JUNCTOR_PORT"):
            listen("127.0.0.1", port)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(Misconfigured, match="JUNCTOR_DATA_DIR"):
        Settings(data_dir=file / "below").ensure_data_dir()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUNCTOR_PORT", "many"),
        ("JUNCTOR_PORT", "70000"),
        ("JUNCTOR_WORKERS", "0"),
        ("JUNCTOR_PUBLIC_URL", "hooks.example.com"),
        ("JUNCTOR_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"{name} is '{value.lower()}'"):
        Settings.from_env({name: value})


@pytest.mark.timeout(600)
def test_the_demo_runs_checks_itself_and_leaves_nothing() -> None:
    folder = server_folder()
    done = subprocess.run(
        [sys.executable, "-m", "junctor", "demo", "--once", "--json"],
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(folder)),
        check=False,
    )
    left = list(folder.glob("junctor-demo-*"))
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["ok"] is True
    assert result["problems"] == []
    assert result["runs"] == {"finished": 100}
    assert result["deliveries"] == 100
    assert result["notes"] > 0
    assert left == []
