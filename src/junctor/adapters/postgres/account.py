"""The system user that the embedded server runs as, and what that user may reach.

PostgreSQL refuses to run as root. As root, a system user of its own runs it (made on first use);
otherwise whoever runs Junctor does, and nothing here changes anything.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import structlog

from junctor.errors import Misconfigured

__all__ = ["ENVIRONMENT", "User", "current", "exists", "server_user", "works_in"]

log = structlog.get_logger(__name__)

NAME: Final = "junctor-postgres"
# Nothing of our own environment (keys, tokens) reaches the server.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "TZ": "UTC",
}


@dataclass(frozen=True, slots=True)
class User:
    """A system user; ``switched`` if it isn't the one that runs us."""

    uid: int
    gid: int
    switched: bool

    @property
    def identity(self) -> dict[str, Any]:
        """Arguments that make `subprocess` run a program as this user."""
        if not self.switched:
            return {"umask": 0o077}
        return {"umask": 0o077, "user": self.uid, "group": self.gid, "extra_groups": []}


def current() -> User:
    """Whoever runs us."""
    return User(os.geteuid(), os.getegid(), switched=False)


def server_user(cluster: Path) -> User:
    """The user to run the server as: ourselves; if we are root, the owner of an existing cluster,
    else our own system user.
    """
    if os.geteuid() != 0:
        return current()
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return User(owner.st_uid, owner.st_gid, switched=True)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        _make_user()
        entry = pwd.getpwnam(NAME)
    return User(entry.pw_uid, entry.pw_gid, switched=True)


def _make_user() -> None:
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME]
    elif shutil.which("adduser"):  # busybox
        command = ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", NAME]
    else:
        raise Misconfigured(
            reason="PostgreSQL can't run as root, and there is neither useradd nor adduser to make "
            f"a system user: make one named {NAME}, or run Junctor as an ordinary user"
        )
    done = subprocess.run(  # noqa: S603 - fixed arguments
        command, capture_output=True, text=True, check=False
    )
    # 9: it exists by now, made by another process at the same time
    if done.returncode not in {0, 9}:
        raise Misconfigured(
            reason=f"PostgreSQL can't run as root, and the system user {NAME} can't be made "
            f"({done.stderr.strip()}): make it, or run Junctor as an ordinary user"
        )
    log.info("postgres.user_made", name=NAME)


def make_reachable(user: User, program: Path, directory: Path) -> None:
    """Lets the server's user pass through the folders above its programs and its data.

    Only the right to pass (o+x) is added, never to list or to read; and only where it is missing.
    """
    if not user.switched:
        return
    for folder in (directory, *directory.parents, *program.parents):
        _add_mode(folder, stat.S_IXOTH)
    if not program.stat().st_mode & stat.S_IROTH:  # installed under a strict umask
        for parent, folders, files in os.walk(program.parent.parent):
            for name in (*folders, *files):
                path = Path(parent, name)
                if not path.is_symlink():
                    own = path.stat().st_mode
                    _add_mode(path, stat.S_IROTH | (stat.S_IXOTH if own & stat.S_IXUSR else 0))


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)
        log.info("postgres.path_opened", path=str(path), mode=oct(stat.S_IMODE(mode) | bits))


def make_directory(user: User, path: Path) -> None:
    """A directory of the server's user that nobody else may enter (root always may).

    `Misconfigured` if somebody else owns it: in a shared temporary folder it may be a trap.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {user.uid, os.geteuid()}:
            raise Misconfigured(
                reason=f"{path} belongs to somebody else: remove it, or choose another data "
                "directory (a shorter path keeps the socket inside it)"
            ) from None
    if user.switched:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    path.chmod(0o700)


def temporary_file(user: User, text: str) -> Path:
    """A file with a secret that the server's user alone may read; the caller removes it."""
    handle, name = tempfile.mkstemp(prefix="junctor-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        if user.switched:
            os.fchown(file.fileno(), user.uid, user.gid)
    return Path(name)


def exists(pid: int) -> bool:
    """Whether a process has this number."""
    return bool(psutil.pid_exists(pid))


def works_in(pid: int, directory: Path) -> bool:
    """Whether this process lives and works in ``directory``, as a PostgreSQL server does."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(Path(process.cwd()) == directory)
    except psutil.Error:
        return False
