"""What the benchmarks share: a whole Junctor on loopback, load, figures.

Everything is real: the wheel's Postgres with its usual durability, `junctor server`, `junctor
worker`, hooks called over HTTP by wrk. Figures are printed with a ratio to something measured in the
same run where one machine's number says little.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
SECRET = "bench-secret"
BODY = json.dumps(
    {
        "event": "call.ended",
        "id": "c-000000000001",
        "from": "+420601234567",
        "to": "+14155550100",
        "duration": 93,
        "state": "missed",
        "agent": {"name": "Jana Nova", "email": "jana@example.com", "queue": "support"},
        "tags": ["inbound", "vip", "first-contact"],
        "note": "x" * 120,
    }
).encode()


def signature(body: bytes = BODY) -> str:
    """The HMAC of a hook's body."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def need(program: str) -> str:
    """A program's path, or a clear word about how to get it."""
    found = shutil.which(program)
    if found is None:
        raise SystemExit(f"{program} is missing: apt-get install {program}")
    return found


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """A process of the benchmark, ended with it."""

    def __init__(self, *command: str, env: dict[str, str], log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            command, env=env, stdout=self._log, stderr=subprocess.STDOUT, cwd=ROOT
        )

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> float:
        """Resident megabytes now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


class Stack:
    """Postgres, a server and a worker."""

    def __init__(self, directory: Path) -> None:
        from junctor.adapters.postgres.embedded import Embedded

        self.directory = directory
        self.postgres = Embedded(directory)
        self.port = free_port()
        self.children: list[Child] = []
        self.env = dict(os.environ)
        self.url = ""
        self.allow: list[str] = []

    def __enter__(self) -> Stack:
        from junctor.adapters.postgres.migrate import migrate

        self.url = self.postgres.start()
        asyncio.run(_maybe(migrate(self.url)))
        source = str(ROOT / "src")
        self.env |= {
            "JUNCTOR_DATABASE_URL": self.url,
            "JUNCTOR_DATA_DIR": str(self.directory),
            "JUNCTOR_PORT": str(self.port),
            "JUNCTOR_HOST": "127.0.0.1",
            "PYTHONPATH": source,
        }
        with self.connect() as db:
            self.organization, self.team = UUID(int=1), UUID(int=2)
            db.execute(
                "insert into organizations (organization_id, name, created_by) values (%s, 'bench', 'bench')",
                (self.organization,),
            )
            db.execute(
                "insert into teams (organization_id, id, name, created_by) values (%s, %s, 'bench', 'bench')",
                (self.organization, self.team),
            )
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self.children):
            child.stop()
        self.postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def postgres_cpu(self) -> float:
        """Seconds of processor time of all of Postgres so far."""
        assert self.postgres.pid is not None
        postmaster = psutil.Process(self.postgres.pid)
        spent = [postmaster.cpu_times()]
        for child in postmaster.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                spent.append(child.cpu_times())
        ended = spent[0].children_user + spent[0].children_system
        return ended + sum(each.user + each.system for each in spent)

    def start(self, role: str) -> Child:
        """Starts ``server`` or ``worker``."""
        env = {**self.env, "JUNCTOR_EGRESS_ALLOW": ",".join(self.allow)}
        child = Child(PYTHON, "-m", "junctor", role, env=env, log=self.directory / f"{role}.log")
        self.children.append(child)
        if role == "server":
            wait_for(lambda: _answers(f"http://127.0.0.1:{self.port}/healthz"), role)
        else:
            wait_for(
                lambda: self.value("select count(*) from nodes where role = 'worker'") > 0, role
            )
        return child

    def stop(self, child: Child) -> None:
        child.stop()
        self.children.remove(child)

    def value(self, query: str, *parameters: object) -> Any:
        with self.connect() as db:
            row = db.execute(query, parameters).fetchone()
            return row[0] if row else None

    def scenario(
        self,
        flow: Sequence[dict[str, Any]],
        *,
        detail: str = "full",
        signed: bool = False,
        **settings: Any,
    ) -> tuple[UUID, str]:
        """A published, active scenario behind a custom webhook; its id and the hook's path."""
        return self.scenarios(1, flow, detail=detail, signed=signed, **settings)[0]

    def scenarios(
        self,
        count: int,
        flow: Sequence[dict[str, Any]],
        *,
        detail: str = "full",
        signed: bool = False,
        **settings: Any,
    ) -> list[tuple[UUID, str]]:
        """So many of them."""
        blueprint = json.dumps(
            {
                "name": "bench",
                "flow": [
                    {
                        "id": 1,
                        "module": "gateway:CustomWebHook",
                        "version": 1,
                        "parameters": {"hook": 1},
                        "mapper": {},
                    },
                    *flow,
                ],
                "metadata": {"instant": True, "version": 1, "scenario": settings},
            }
        )
        sealed_settings = json.dumps({"signing_secret": SECRET} if signed else {})
        made = []
        with self.connect() as db, db.transaction():
            for _ in range(count):
                scenario, hook = _id(), _id()
                token = secrets.token_hex(16)
                db.execute(
                    "insert into scenarios (organization_id, id, team_id, name, active, published, detail, created_by, updated_by)"
                    " values (%s, %s, %s, 'bench', true, 1, %s, 'bench', 'bench')",
                    (self.organization, scenario, self.team, detail),
                )
                db.execute(
                    "insert into scenario_versions (organization_id, scenario_id, version, blueprint, created_by)"
                    " values (%s, %s, 1, %s, 'bench')",
                    (self.organization, scenario, blueprint),
                )
                db.execute(
                    "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector, kind, token,"
                    " settings, created_by, updated_by)"
                    " values (%s, %s, %s, %s, 1, 'bench', 'gateway', 'CustomWebHook', %s, %s, 'bench', 'bench')",
                    (self.organization, hook, self.team, scenario, token, sealed_settings),
                )
                made.append((scenario, f"/hook/{token}"))
        return made

    def finished(self) -> int:
        return int(self.value("select count(*) from runs where state = 'finished'"))

    def wait_finished(self, count: int, *, seconds: float = 120) -> float:
        """Waits until so many runs are finished; returns the time it took."""
        begun = time.perf_counter()
        with self.connect() as db:
            while True:
                row = db.execute("select count(*) from runs where state = 'finished'").fetchone()
                if row is not None and row[0] >= count:
                    return time.perf_counter() - begun
                if time.perf_counter() - begun > seconds:
                    states = db.execute(
                        "select state, count(*), max(error->>'message') from runs group by 1"
                    ).fetchall()
                    raise SystemExit(
                        f"only {row} of {count} runs finished in {seconds} s: {states}"
                    )
                time.sleep(0.02)

    def forget_runs(self) -> None:
        """Empties history between measurements."""
        with self.connect() as db:
            for _ in range(10):  # a job may be reading it
                with contextlib.suppress(psycopg.errors.DeadlockDetected):
                    db.execute("truncate runs, segments, answers, seen")
                    break
            db.execute("checkpoint")


@contextlib.contextmanager
def stack() -> Iterator[Stack]:
    """A stack in a directory of its own."""
    directory = Path(tempfile.mkdtemp(prefix="junctor-bench-"))
    directory.chmod(0o755)
    with Stack(directory) as made:
        yield made


def wrk(
    url: str,
    *,
    paths: Sequence[str] = ("/",),
    seconds: float = 10,
    count: int | None = None,
    connections: int = 64,
    body: bytes = BODY,
    signed: bool = False,
) -> dict[str, float]:
    """Load by wrk, one thread; with ``count``, exactly about so many requests (no latencies then)."""
    script = Path(tempfile.mkstemp(suffix=".lua")[1])
    quoted = body.decode().replace("\\", "\\\\").replace("'", "\\'")
    listing = ", ".join(f"'{path}'" for path in paths)
    head = f"wrk.headers['x-signature-256'] = '{signature(body)}'\n" if signed else ""
    stop = (
        "function response(status)\n"
        "  seen = seen + 1; if status ~= 200 then bad = bad + 1 end\n"
        f"  if seen >= {count} then\n"
        '    io.write(string.format(\'JSON {"requests":%d,"errors":%d}\\n\', seen, bad))\n'
        "    io.flush(); os.exit(0)\n  end\nend\n"
        if count
        else ""
    )
    script.write_text(
        f"wrk.method = 'POST'\nwrk.headers['content-type'] = 'application/json'\n{head}"
        f"wrk.body = '{quoted}'\nlocal paths = {{{listing}}}\nlocal n = 0\nseen = 0\nbad = 0\n"
        "function request() n = n + 1; return wrk.format(nil, paths[(n - 1) % #paths + 1]) end\n"
        f"{stop}"
        "function done(summary, latency)\n"
        '  io.write(string.format(\'JSON {"requests":%d,"duration":%d,"errors":%d,"p50":%f,"p99":%f,"max":%f}\\n\','
        " summary.requests, summary.duration, summary.errors.status + summary.errors.connect + summary.errors.read"
        " + summary.errors.timeout + summary.errors.write, latency:percentile(50) / 1000, latency:percentile(99) / 1000,"
        " latency.max / 1000))\nend\n"
    )
    begun = time.perf_counter()
    try:
        out = subprocess.run(
            [
                need("wrk"),
                "-t1",
                f"-c{connections}",
                f"-d{int(seconds)}s",
                "--latency",
                "-s",
                str(script),
                url,
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        script.unlink()
    line = next(line for line in out.splitlines() if line.startswith("JSON "))
    figures: dict[str, float] = json.loads(line[5:])
    spent = figures["duration"] / 1e6 if "duration" in figures else time.perf_counter() - begun
    figures["rate"] = figures["requests"] / spent
    return figures


SET_THREE = {
    "id": 2,
    "module": "util:SetVariables",
    "version": 1,
    "parameters": {},
    "mapper": {
        "scope": "roundtrip",
        "variables": [
            {"name": "who", "value": "{{1.agent.name}} <{{1.agent.email}}>"},
            {"name": "kind", "value": '{{if(1.duration > 60; "long"; "short")}}'},
            {"name": "line", "value": "{{upper(1.state)}}: {{1.from}} to {{1.to}}"},
        ],
    },
}
FILTERED_JSON = {
    "id": 3,
    "module": "json:CreateJSON",
    "version": 1,
    "filter": {
        "name": "long",
        "conditions": [[{"a": "{{2.kind}}", "o": "text:equal", "b": "long"}]],
    },
    "parameters": {"space": ""},
    "mapper": {"who": "{{2.who}}", "line": "{{2.line}}", "tags": "{{1.tags}}"},
}


def http_module(method: str, url: str) -> dict[str, Any]:
    """A call in between; module 4."""
    return {
        "id": 4,
        "module": "http:ActionSendData",
        "version": 3,
        "parameters": {"handleErrors": True},
        "mapper": {
            "url": url,
            "method": method,
            "headers": [],
            "qs": [],
            "bodyType": "raw" if method == "post" else "",
            "contentType": "application/json",
            "data": '{"who":"{{2.who}}"}' if method == "post" else "",
            "parseResponse": True,
            "timeout": "30",
        },
    }


def wait_for(ready: Any, what: str, *, seconds: float = 30) -> None:
    """Polls until ``ready()`` is true."""
    until = time.perf_counter() + seconds
    while True:
        with contextlib.suppress(OSError, psycopg.Error):
            if ready():
                return
        if time.perf_counter() > until:
            raise SystemExit(f"{what} did not come up in {seconds} s")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)


async def _maybe(value: Any) -> Any:
    return await value if asyncio.iscoroutine(value) else value


def _id() -> UUID:
    from junctor.language.ids import uuid7

    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile, by rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def row(name: str, value: str, target: str = "", met: bool | None = None) -> None:
    """One line of the result table."""
    mark = {True: "✓", False: "✗", None: " "}[met]
    print(f"{mark} {name:<58} {value:>22}   {target}", flush=True)
