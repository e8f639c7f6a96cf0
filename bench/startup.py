"""What a start costs: CPU of each process until it says that it is ready, `junctor up` as a whole, and
what all of it holds when it has nothing to do.

CPU is what the system counts for the process itself (its threads too), killed as it says so. Python's
compiled files are kept, as an installation has them; without them a start costs half as much again.

Found with `python -X importtime` and cProfile: pydantic, which Typer reads options with and which
Litestar loads twice over where it finds it loaded (a fifth of a server's start); every router copied
with all its handlers each time it is put into another (a seventh); OpenSSL's list of authorities, which
aiohttp reads twice as it is imported (a twelfth; a worker still pays it); 300 garbage collections over
what was just made, and a full one at the end (a tenth); IMAP and SMTP. What is left is mostly Python's
own: data classes, regular expressions and modules made.
"""

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

ROUNDS = 7
LIBRARIES = "import asyncio, psycopg, aiohttp"


def cpu(arguments: list[str], env: dict[str, str], *, ready: bool) -> float:
    """Seconds of CPU of one process until it says that it is ready, or until it ends."""
    heard, told = os.pipe()
    more = {"JUNCTOR_INTERNAL_READY": str(told)} if ready else {}
    process = subprocess.Popen(
        [kit.PYTHON, *arguments], env=env | more, cwd=kit.ROOT, pass_fds=(told,) if ready else (),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(told)
    if ready and os.read(heard, 1) == b"1":
        process.kill()
    os.close(heard)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != (-signal.SIGKILL if ready else 0):
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def processes() -> None:
    """Server, worker and command, beside Python alone and beside the libraries both stand on."""
    print("\nCPU of one process until it is ready (least of rounds)")
    directory = Path(tempfile.mkdtemp(prefix="junctor-bench-"))
    directory.chmod(0o755)
    with kit.Stack(directory) as stack:
        env = {**stack.env, "PYTHONPYCACHEPREFIX": str(directory / "bytecode")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        kinds = {
            "python -c pass": (["-c", "pass"], False),
            LIBRARIES: (["-c", LIBRARIES], False),
            "junctor --help": (["-m", "junctor", "--help"], False),
            "junctor worker": (["-m", "junctor", "worker"], True),
            "junctor server": (["-m", "junctor", "server"], True),
        }
        spent: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(ROUNDS + 1):  # the first makes the compiled files
            for name, (arguments, ready) in kinds.items():
                env["JUNCTOR_PORT"] = str(kit.free_port())
                seconds = cpu(arguments, env, ready=ready)
                if number:
                    spent[name].append(seconds)
    least = {name: min(seconds) for name, seconds in spent.items()}
    libraries = least[LIBRARIES]
    aims = {"junctor --help": 1.0, "junctor worker": 2.0, "junctor server": 3.0}
    for name, seconds in least.items():
        times = f"{seconds / least['python -c pass']:.0f} × python"
        if name in aims:
            share = seconds / libraries
            aim = f"≤ {aims[name]:g} × the libraries"
            kit.row(
                f"{name} ({times})", f"{seconds:.2f} s: {share:.1f} ×", aim, share <= aims[name]
            )
        else:
            kit.row(name, f"{seconds:.2f} s")


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
    processes()
    whole()


def whole() -> None:
    """`junctor up`."""
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
