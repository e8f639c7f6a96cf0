"""How soon `junctor up` is ready with existing data, and what it holds when it has nothing to do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import kit
import psutil


def up(directory: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """Starts everything; seconds until /readyz says yes."""
    env = {
        **os.environ,
        "JUNCTOR_DATA_DIR": str(directory),
        "JUNCTOR_PORT": str(port),
        "PYTHONPATH": str(kit.ROOT / "src"),
    }
    env.pop("JUNCTOR_DATABASE_URL", None)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [kit.PYTHON, "-m", "junctor", "up"], env=env, stdout=subprocess.DEVNULL, cwd=kit.ROOT
    )
    kit.wait_for(lambda: kit._answers(f"http://127.0.0.1:{port}/readyz"), "junctor up", seconds=60)
    return process, time.perf_counter() - begun


def down(process: subprocess.Popen[bytes]) -> float:
    begun = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(20)
    return time.perf_counter() - begun


def main() -> None:
    print("\nStart and rest of `junctor up`")
    directory = Path(tempfile.mkdtemp(prefix="junctor-bench-"))
    directory.chmod(0o755)
    try:
        process, first = up(directory, kit.free_port())
        down(process)
        ready, ended = [], []
        for _ in range(5):
            process, spent = up(directory, kit.free_port())
            ready.append(spent)
            if len(ready) == 5:
                time.sleep(3)
                family = [psutil.Process(process.pid)]
                family += family[0].children(recursive=True)
                seen = {each.pid for each in family}
                postgres = [
                    each for each in psutil.process_iter(["cmdline"])
                    if str(directory) in " ".join(each.info["cmdline"] or []) and each.pid not in seen
                ]  # fmt: skip
                for each in postgres:
                    if each.pid not in seen:
                        family += [each, *each.children(recursive=True)]
                        seen |= {p.pid for p in family}
                ours = [each for each in family if "python" in each.name()]
                rss = {each.pid: each.memory_info().rss / 2**20 for each in family}
                pss = sum(each.memory_full_info().pss for each in family) / 2**20
            ended.append(down(process))
        kit.row("first start (makes the database)", f"{first:.1f} s")
        kit.row(
            "ready with existing data",
            f"{kit.median(ready):.2f} s",
            "≤ 3 s",
            kit.median(ready) <= 3,
        )
        kit.row("stopped by Ctrl-C", f"{kit.median(ended):.2f} s")
        kit.row(
            "idle RSS, each of our processes", " + ".join(f"{rss[p.pid]:.0f}" for p in ours) + " MB"
        )
        kit.row("idle memory, all processes with Postgres (PSS)", f"{pss:.0f} MB")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
