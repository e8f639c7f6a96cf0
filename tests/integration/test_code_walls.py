"""The second wall: what a process that has shut itself in can't do, whatever runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import junctor

pytestmark = pytest.mark.skipif(
    os.uname().sysname != "Linux" or os.uname().machine not in {"x86_64", "aarch64"},
    reason="code steps are shut in on Linux, x86-64 and aarch64",
)

# An attacker who has broken out of the interpreter runs machine code: here, Python by ctypes.
_BEFORE = """
import ctypes, fcntl, mmap, os, resource, signal, socket, sys, threading, time
sys.path.append(sys.argv[1])
from junctor.runtime.sandbox import walls
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()
standing = walls.confine(memory=256 << 20, starts=STARTS, readable=("/usr/lib", "/lib"))
try:
    CODE
except (OSError, MemoryError, RuntimeError, ValueError) as error:
    os.write(1, f"{type(error).__name__} {error}".encode())
else:
    os.write(1, b"done")
os._exit(0)
"""


def _inside(code: str, *, starts: bool) -> str:
    program = _BEFORE.replace("STARTS", str(starts)).replace("CODE", code.replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(Path(junctor.__file__).parents[1])],
        env={},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.stdout.decode() or f"ended by {done.returncode}: {done.stderr.decode()[-300:]}"


_NEITHER = [
    "socket.socket(socket.AF_INET)",
    "socket.socket(socket.AF_UNIX)",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "socket.socketpair(socket.AF_INET)",
    "open('/tmp/made', 'w')",
    "open('/etc/passwd')",
    "open(f'/proc/{parent}/environ')",
    "open('/proc/self/environ')",
    "os.listdir('/')",
    "os.symlink('/etc/passwd', '/tmp/made')",
    "os.link('/etc/passwd', '/tmp/made')",
    "os.mkdir('/tmp/made')",
    "os.unlink('/tmp/none')",
    "os.chmod('/tmp', 0o777)",
    "os.kill(parent, signal.SIGTERM)",
    "os.kill(-1, signal.SIGTERM)",
    "os.setsid()",
    "os.setpgid(0, 0)",
    "os.setuid(0)",
    "os.execv('/bin/sh', ['/bin/sh', '-c', 'echo out'])",
    "resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1))",
    "resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))",
    "os.sched_setaffinity(parent, {0})",
    "os.setpriority(os.PRIO_PROCESS, parent, 19)",
    "bytearray(512 << 20)",
    "mmap.mmap(-1, 512 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
    "fcntl.fcntl(0, 8, parent)",  # F_SETOWN: whom the kernel signals
    "fcntl.ioctl(0, 0x5412, b'x')",  # TIOCSTI: types at a terminal
    "os.memfd_create('x')",
    "mmap.mmap(-1, 4096)",  # shared
]
_RAW = {  # name: (x86-64, aarch64)
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "openat2": (437, 437),
    "pidfd_send_signal": (424, 424),
    "clone3": (435, 435),
    "memfd_create": (319, 279),
    "personality": (135, 92),
    "chroot": (161, 51),
    "init_module": (175, 105),
    "reboot": (169, 142),
}


@pytest.mark.parametrize("starts", [False, True], ids=["javascript", "python"])
def test_nothing_leads_out(starts: bool, tmp_path: Path) -> None:
    made = tmp_path / "made"
    for code in _NEITHER:
        said = _inside(code.replace("/tmp/made", str(made)), starts=starts)
        assert said.startswith(("OSError", "Permission", "Blocking", "Memory", "ValueError")), (
            f"{code}: {said}"
        )
    assert not made.is_symlink()
    assert not made.exists()


@pytest.mark.parametrize("starts", [False, True], ids=["javascript", "python"])
def test_dangerous_calls_do_not_exist(starts: bool) -> None:
    column = 0 if os.uname().machine == "x86_64" else 1
    calls = {name: numbers[column] for name, numbers in _RAW.items()}
    code = (
        f"there = [name for name, number in {calls}.items() "
        "if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 38]\n"
        "if there: raise OSError(str(there))"
    )
    assert _inside(code, starts=starts) == "done"


def test_no_other_process_beside_an_interpreter_in_its_own() -> None:
    assert _inside("os.fork()", starts=False).startswith("OSError")
    assert _inside("threading.Thread(target=print).start()", starts=False).startswith("Runtime")


def test_namespaces_stay_as_they_are() -> None:
    number = 56 if os.uname().machine == "x86_64" else 220
    new_user = f"if libc.syscall({number}, 0x10000011, 0, 0, 0, 0) < 0: raise OSError('no')"
    assert _inside(new_user, starts=True) == "OSError no"


def test_descriptors_run_out() -> None:
    code = "kept = [os.dup(0) for _ in range(1000)]"
    assert "Too many open files" in _inside(code, starts=True)


def test_a_fork_bomb_ends_with_its_group() -> None:
    code = (
        "os.write(1, b'.')\n"
        "for _ in range(40):\n"
        "    if libc.fork() == 0:\n"
        "        time.sleep(60)\n"
        "time.sleep(60)"
    )
    program = _BEFORE.replace("STARTS", "True").replace("CODE", code.replace("\n", "\n    "))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, str(Path(junctor.__file__).parents[1])],
        env={},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        os.killpg(process.pid, 9)
        assert process.stdout.read() == b""  # ends when the last that holds it has ended
