"""What a process of a code step gives up, for good, before it sees any code.

The interpreters have no I/O of their own; that is the first wall. These are the second, for the day
that one of them has a hole:

limits      no files written, few descriptors, memory, processors' time, no core dumps
privileges  none can be gained any more; the process dies with the one that started it
seccomp     a list of the system calls that remain: no sockets, no signals, no tracing, nothing
            opened for writing; for JavaScript, nothing opened and no process started at all
landlock    no file but the interpreter's own (kernel 5.13 and later)
namespaces  no network interfaces, no users, no shared memory (where users may make namespaces)

Numbers are those of the kernel's own headers; they never change.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

__all__ = ["Missing", "confine"]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Missing(Exception):
    """A wall that must stand can't be put up here; the text says why."""


# Calls that remain: (x86-64, aarch64); -1 where the machine has no such call.
_COMPUTE = {
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "read": (0, 63),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "sigaltstack": (131, 132),
    "time": (201, -1),
    "write": (1, 64),
    "writev": (20, 66),
}
_START = {  # what it takes to start Monty's own process, and to talk to it by pipes
    "access": (21, -1),
    "arch_prctl": (158, -1),
    "dup": (32, 23),
    "dup2": (33, -1),
    "dup3": (292, 24),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "epoll_wait": (232, -1),
    "eventfd2": (290, 19),
    "execve": (59, 221),
    "faccessat": (269, 48),
    "getcwd": (79, 17),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getrlimit": (97, 163),
    "getuid": (102, 174),
    "membarrier": (324, 283),
    "newfstatat": (262, 79),
    "pidfd_open": (434, 434),
    "pipe2": (293, 59),
    "pread64": (17, 67),
    "readlink": (89, -1),
    "readlinkat": (267, 78),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "sched_getaffinity": (204, 123),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "vfork": (58, -1),
    "wait4": (61, 260),
    "waitid": (247, 95),
}
_ONLY = {  # those of them of which only some uses remain: argument and its values
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 1030)),  # copies and flags; no owner to be signalled
    "ioctl": ((16, 29), 1, (0x5401, 0x5421, 0x5451)),  # is it a terminal, don't block, close
    "prlimit64": ((302, 261), 0, (0,)),  # its own limits
    "socketpair": ((53, 199), 0, (1,)),  # AF_UNIX: a pipe
}
_NEVER = {  # and those of which uses with certain bits don't: argument and bits
    "mmap": ((9, 222), 3, 1),  # shared memory, which no limit counts
    "clone": ((56, 220), 0, 0x7E020080),  # new namespaces
    "openat": ((257, 56), 2, os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC),
}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CPU = 90  # seconds; the step's own limit is shorter, and kept by a clock outside
_ENOSYS, _EACCES = 38, 13
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def confine(*, memory: int, starts: bool, readable: tuple[str, ...] = ()) -> list[str]:
    """Puts the walls up and says which stand; `Missing` if one that must, can't.

    ``memory`` bytes of data; ``starts``: whether another process must still be started; if so,
    ``readable`` are the files and folders that may be read for it.
    """
    if sys.platform != "linux":
        raise Missing("code steps need Linux: elsewhere nothing shuts their process in")
    if _libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise Missing("the kernel does not let a process give up gaining privileges")
    _libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: never outlive Junctor
    _libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: nobody else's to look into, either
    os.chdir("/")
    stand = ["interpreter", "limits", "privileges"]
    alone = _namespaces()
    if alone:
        stand.append("namespaces")
    _limits(memory, alone=alone)
    if _landlock(readable if starts else ()):
        stand.append("landlock")
    _seccomp(starts=starts)
    return [*stand, "seccomp"]


def _limits(memory: int, *, alone: bool) -> None:
    # Outside of a namespace of users, all that this user runs would count against ours.
    processes = [(resource.RLIMIT_NPROC, 64)] if alone else []
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _CPU),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        *processes,
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, memory + 4 * 1024**3),  # threads reserve far more than they use
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _namespaces() -> bool:
    # Users (so that the others need no privilege), network, IPC, host name.
    return bool(_libc.unshare(0x10000000 | 0x40000000 | 0x08000000 | 0x04000000) == 0)


def _landlock(readable: tuple[str, ...]) -> bool:
    version = _libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << (13 + (version >= 2) + (version >= 3))) - 1
    files |= (1 << 15) if version >= 5 else 0  # device controls
    net = 3 if version >= 4 else 0
    scope = 3 if version >= 6 else 0  # abstract sockets, signals
    rules = struct.pack("QQQ", files, net, scope)[
        : 24 if version >= 6 else 16 if version >= 4 else 8
    ]
    made = _libc.syscall(444, rules, ctypes.c_size_t(len(rules)), 0)
    if made < 0:
        return False
    for path in readable:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not there, so nothing to allow
        may = (1 | 4 | 8) if os.path.isdir(path) else (1 | 4)  # noqa: PTH112  # pathlib is slow to load; execute, read, list
        _libc.syscall(445, made, 1, struct.pack("=Qi", may, place), 0)
        os.close(place)
    kept: bool = _libc.syscall(446, made, 0) == 0
    os.close(made)
    return kept


def _seccomp(*, starts: bool) -> None:
    """A filter of system calls: a list of those that remain; the others don't exist (ENOSYS)."""
    if platform.machine() not in _MACHINES:
        raise Missing(f"code steps are shut in on x86-64 and aarch64, not on {platform.machine()}")
    column, architecture = _MACHINES[platform.machine()]
    calls = _COMPUTE | (_START if starts else {})
    program = [
        _op(0x20, 4),  # load the architecture
        _op(0x15, architecture, 1, 0),
        _op(0x06, _KILL),
        _op(0x20, 0),  # load the number of the call
    ]
    for numbers in calls.values():
        if numbers[column] >= 0:
            program += [_op(0x15, numbers[column], 0, 1), _op(0x06, _ALLOW)]
    if starts:
        for numbers, argument, values in _ONLY.values():
            program += [_op(0x15, numbers[column], 0, 2 * len(values) + 2), _load(argument)]
            for value in values:
                program += [_op(0x15, value, 0, 1), _op(0x06, _ALLOW)]
            program.append(_op(0x06, _ERRNO | _EACCES))
    for name, (numbers, argument, bits) in _NEVER.items():
        if starts or name == "mmap":
            program += [_op(0x15, numbers[column], 0, 4), _load(argument)]
            program += [_op(0x45, bits, 1, 0), _op(0x06, _ALLOW), _op(0x06, _ERRNO | _EACCES)]
    program.append(_op(0x06, _ERRNO | _ENOSYS))
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    if _libc.prctl(22, 2, given, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise Missing("the kernel offers no seccomp filter, and code steps don't run without one")


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _load(argument: int) -> bytes:
    return _op(0x20, 16 + 8 * argument)  # its lower half: both machines are little-endian
