"""Every setting, read once from the environment.

`Settings` is frozen data; who needs a setting gets it as an argument. `SETTINGS` documents each
variable and is what ``docs/cli.md`` and the tests read, so a setting can't exist undocumented.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import platformdirs

from junctor.errors import Misconfigured
from junctor.runtime.disk import HARD, SOFT, Limit, read_limit

__all__ = ["OTHERS", "SETTINGS", "Settings", "free_port", "is_free"]

SETTINGS: Mapping[str, str] = {
    "JUNCTOR_DATA_DIR": "Where data, keys and logs are kept; default: the user's data directory.",
    "JUNCTOR_CONNECTORS_DIR": "Connectors made of OpenAPI; default: in the data directory.",
    "JUNCTOR_DATABASE_URL": "A PostgreSQL, 15 or newer; unset: our own in the data directory.",
    "JUNCTOR_HOST": "Address the server binds (default 127.0.0.1).",
    "JUNCTOR_PORT": "Port the server binds (default 8700; `up` takes the next free one).",
    "JUNCTOR_PUBLIC_URL": "How the world reaches the server; hooks are registered under it.",
    "JUNCTOR_MAIL_PORT": "Port on which mail for mailhooks is taken (SMTP); unset or 0: none is.",
    "JUNCTOR_MAIL_HOST": "Domain of mailhooks' addresses; default: the host of the public URL.",
    "JUNCTOR_SMTP_URL": "Mail account for notifications: smtps://user:password@host?from=a@b.c",
    "JUNCTOR_TRUSTED_PROXIES": "Reverse proxies whose X-Forwarded-For is believed, by comma.",
    "JUNCTOR_GAP_MINUTES": "After so long without a server, fetch what was missed (5; 0: never).",
    "JUNCTOR_DATABASE_DISK": "A path on the volume of a database of your own, to watch its room.",
    "JUNCTOR_DISK_SOFT": "Less free disk than this is told: the smaller of both (10%/2GB).",
    "JUNCTOR_DISK_HARD": "With less than this nothing more is taken in (2%/500MB).",
    "JUNCTOR_EGRESS_ALLOW": "Private addresses that requests may reach: host:port, by comma.",
    "JUNCTOR_SPOOL_DIR": "Where servers keep deliveries while the database is away; `up` has one.",
    "JUNCTOR_SPOOL_MB": "How much may lie there, in megabytes (default 1024; 0: nothing).",
    "JUNCTOR_MAX_CONNECTIONS": "Connections to a server at once (default 4000).",
    "JUNCTOR_REUSE_PORT": "Set to 1: several servers of a machine bind the same port.",
    "JUNCTOR_WORKERS": "How many worker processes `up` keeps; default: cores less one.",
    "JUNCTOR_MASTER_KEY": "The master key, 32 bytes in base64; unset: a file in the data dir.",
    "JUNCTOR_BACKUP_DIR": "Where backups go; default: `backups` in the data directory.",
    "JUNCTOR_BACKUP_SCHEDULE": "When one is made by itself: minute hour day month weekday, UTC.",
    "JUNCTOR_BACKUP_KEEP": "How many of those that are made by themselves stay (default 7).",
    "JUNCTOR_BACKUP_PASSPHRASE": "Seals the master key beside a backup; asked for if unset.",
    "JUNCTOR_OLD_POSTGRES": "Programs of the major version before, for an upgrade of the data.",
    "JUNCTOR_LOG_LEVEL": "debug, info, warning or error (default info).",
    "JUNCTOR_LOG_FORMAT": "json or text, on standard error (default json).",
    "JUNCTOR_LOG_STREAM": "Where else logs and ended runs go: file, syslog, webhook; by comma.",
    "JUNCTOR_LOG_STREAM_SECRET": "Signs what is sent to a webhook of JUNCTOR_LOG_STREAM.",
    "JUNCTOR_METRICS": "host:port of /metrics, workers above it; unset: none is served.",
    "JUNCTOR_METRICS_SCENARIOS": "Set to 1: ended runs are counted by scenario, too.",
    "JUNCTOR_TRACES": "OTLP address that takes traces (http://host:4318/v1/traces); unset: none.",
    "JUNCTOR_TRACES_SHARE": "How many traces of 100 are kept (default 100).",
    "JUNCTOR_TRACES_HOSTS": "Vendors' hosts that are told the trace (traceparent), by comma.",
    "JUNCTOR_DEBUG": "Set to 1: commands show a trace when they fail.",
}

OTHERS = frozenset(
    {"JUNCTOR_SHARED", "JUNCTOR_WRITE_SNAPSHOTS", "JUNCTOR_CI_CLIENTS", "JUNCTOR_INTERNAL_READY"}
)
"""Variables that tests and our own processes read, and that are no settings."""

_LEVELS = ("info", "debug", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs. Ports are TCP; paths are absolute."""

    data_dir: Path
    connectors: Path | None = None
    """Where connectors made of OpenAPI documents are; ``None``: in the data directory."""
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8700
    port_fixed: bool = False
    """Whether the operator chose the port, so that taking another one would surprise."""
    public: str | None = None
    mail_port: int = 0
    """0: no mail is taken."""
    mail_host: str | None = None
    smtp_url: str | None = field(default=None, repr=False)
    """It holds a password."""
    database_disk: Path | None = None
    """On the database's volume, if that is not ours; ``None``: it is not watched."""
    disk_soft: Limit = SOFT
    disk_hard: Limit = HARD
    egress_allow: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks, such as ``10.0.0.0/8``."""
    gap_minutes: int = 5
    """0: what was missed in a downtime is fetched only by hand."""
    spool: Path | None = None
    """Where deliveries wait while the database is away; ``None``: they are refused then."""
    spool_mb: int = 1024
    max_connections: int = 4000
    reuse_port: bool = False
    workers: int = 1
    backup_dir: Path | None = None
    """``None``: in the data directory."""
    backup_schedule: str = ""
    """Five fields of cron, in UTC; empty: none is made by itself."""
    backup_keep: int = 7
    log_level: str = "info"
    log_format: str = "json"
    log_stream: tuple[str, ...] = ()
    """Addresses of destinations; see `app.log_stream.parse`."""
    log_stream_secret: str = field(default="", repr=False)
    metrics: tuple[str, int] | None = None
    """Host and port."""
    metrics_scenarios: bool = False
    traces: str | None = None
    traces_share: int = 100
    """Percent."""
    traces_hosts: tuple[str, ...] = ()
    debug: bool = False

    @property
    def public_url(self) -> str:
        """The address hooks are registered under, without a trailing slash."""
        if self.public:
            return self.public
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def bound(self, host: str | None = None, port: int | None = None) -> Settings:
        """With what an operator named on the command line in place of what is set."""
        return replace(
            self,
            host=host or self.host,
            port=self.port if port is None else port,
            port_fixed=self.port_fixed or port is not None,
        )

    @property
    def mail_domain(self) -> str:
        """What stands after the @ in mailhooks' addresses."""
        if self.mail_host:
            return self.mail_host
        host = urlsplit(self.public_url).hostname or self.host
        if ":" in host:
            return f"[IPv6:{host}]"
        return f"[{host}]" if host.replace(".", "").isdigit() else host

    @property
    def connectors_dir(self) -> Path:
        """The folder of connectors made of OpenAPI documents."""
        return self.connectors or self.data_dir / "connectors"

    @property
    def backups(self) -> Path:
        """Where backups go unless a command says otherwise."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def spool_dir(self) -> Path:
        """Where a spool lies, or would: of this machine's servers, whoever asks."""
        return self.spool or self.data_dir / "spool"

    @property
    def logs(self) -> Path:
        """Where child processes log."""
        return self.data_dir / "logs"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Reads the environment; `Misconfigured` names the variable, its value and the mend."""
        env = os.environ if env is None else env
        directory = env.get("JUNCTOR_DATA_DIR") or platformdirs.user_data_dir("junctor")
        public = (_http(env, "JUNCTOR_PUBLIC_URL") or "").rstrip("/")
        proxies = _list(env.get("JUNCTOR_TRUSTED_PROXIES", ""))
        for proxy in proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                _refuse("JUNCTOR_TRUSTED_PROXIES", proxy, "write addresses such as 10.0.0.0/8")
        disk = env.get("JUNCTOR_DATABASE_DISK")
        smtp = env.get("JUNCTOR_SMTP_URL") or ""
        if smtp and not smtp.startswith(("smtp://", "smtps://", "smtp+plain://")):
            _refuse("JUNCTOR_SMTP_URL", "…", "it must begin with smtps:// or smtp://")
        connectors = env.get("JUNCTOR_CONNECTORS_DIR")
        backups = env.get("JUNCTOR_BACKUP_DIR")
        schedule = " ".join((env.get("JUNCTOR_BACKUP_SCHEDULE") or "").split())
        if schedule and not _is_cron(schedule):
            mend = "write minute, hour, day, month and weekday in numbers, such as 15 2 * * *"
            _refuse("JUNCTOR_BACKUP_SCHEDULE", schedule, mend)
        spool = env.get("JUNCTOR_SPOOL_DIR")
        return cls(
            data_dir=Path(directory).expanduser().absolute(),
            connectors=Path(connectors).expanduser().absolute() if connectors else None,
            database_url=env.get("JUNCTOR_DATABASE_URL") or None,
            host=env.get("JUNCTOR_HOST") or "127.0.0.1",
            port=_number(env, "JUNCTOR_PORT", 8700, 0, 65535),
            port_fixed=bool(env.get("JUNCTOR_PORT")),
            public=public or None,
            mail_port=_number(env, "JUNCTOR_MAIL_PORT", 0, 0, 65535),
            mail_host=(env.get("JUNCTOR_MAIL_HOST") or "").strip().lower() or None,
            smtp_url=smtp or None,
            database_disk=Path(disk).expanduser().absolute() if disk else None,
            disk_soft=_limit(env, "JUNCTOR_DISK_SOFT", SOFT),
            disk_hard=_limit(env, "JUNCTOR_DISK_HARD", HARD),
            trusted_proxies=proxies,
            gap_minutes=_number(env, "JUNCTOR_GAP_MINUTES", 5, 0, 10_000),
            egress_allow=_list(env.get("JUNCTOR_EGRESS_ALLOW", "")),
            spool=Path(spool).expanduser().absolute() if spool else None,
            spool_mb=_number(env, "JUNCTOR_SPOOL_MB", 1024, 0, 1_000_000),
            max_connections=_number(env, "JUNCTOR_MAX_CONNECTIONS", 4000, 16, 1_000_000),
            reuse_port=env.get("JUNCTOR_REUSE_PORT", "") not in {"", "0"},
            workers=_number(env, "JUNCTOR_WORKERS", max(1, (os.cpu_count() or 2) - 1), 1, 256),
            backup_dir=Path(backups).expanduser().absolute() if backups else None,
            backup_schedule=schedule,
            backup_keep=_number(env, "JUNCTOR_BACKUP_KEEP", 7, 1, 10_000),
            log_level=_chosen(env, "JUNCTOR_LOG_LEVEL", _LEVELS),
            log_format=_chosen(env, "JUNCTOR_LOG_FORMAT", ("json", "text")),
            log_stream=_list(env.get("JUNCTOR_LOG_STREAM", "")),
            log_stream_secret=env.get("JUNCTOR_LOG_STREAM_SECRET", ""),
            metrics=_address(env, "JUNCTOR_METRICS"),
            metrics_scenarios=env.get("JUNCTOR_METRICS_SCENARIOS", "") not in {"", "0"},
            traces=_http(env, "JUNCTOR_TRACES"),
            traces_share=_number(env, "JUNCTOR_TRACES_SHARE", 100, 0, 100),
            traces_hosts=_list(env.get("JUNCTOR_TRACES_HOSTS", "")),
            debug=env.get("JUNCTOR_DEBUG", "") not in {"", "0"},
        )

    @property
    def address_file(self) -> Path:
        """Where a running machine says its address, and below it what its egress may reach."""
        return self.data_dir / "address"

    @property
    def supervisor_file(self) -> Path:
        """Where the supervisor of this data directory says who it is."""
        return self.data_dir / "supervisor.json"

    def as_running(self) -> Settings:
        """The same with what the machine that runs here was given and chose.

        `up` may have taken another port, and what registers hooks must know it; its demo's
        simulators may be reached by commands, too.
        """
        try:
            address, *allowed = self.address_file.read_text().split()
        except (OSError, ValueError):
            return self
        running = self.with_allowed(tuple(allowed))
        if self.public or self.port_fixed or not address.startswith("http"):
            return running
        return replace(running, public=address)

    def with_allowed(self, addresses: tuple[str, ...]) -> Settings:
        """The same, with more addresses that requests may reach."""
        return replace(self, egress_allow=tuple(dict.fromkeys((*self.egress_allow, *addresses))))

    def ensure_data_dir(self) -> Path:
        """Makes the data directory (0755, so that Postgres' own user may enter); checks writing."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.data_dir):  # a name of its own: others start, too
                pass
        except OSError as error:
            raise Misconfigured(
                f"The data directory {self.data_dir} can't be written: {error.strerror or error}. "
                "Set JUNCTOR_DATA_DIR to a directory you own.",
                path=str(self.data_dir),
            ) from error
        return self.data_dir


def free_port(host: str, first: int, tries: int = 50) -> int:
    """The first free port from ``first`` on; `Misconfigured` if there is none in ``tries``."""
    for port in range(first, first + tries):
        if is_free(host, port):
            return port
    raise Misconfigured(
        f"No free port between {first} and {first + tries - 1} on {host}. Set JUNCTOR_PORT.",
        host=host,
        port=first,
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could bind here now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _refuse(name: str, value: str, mend: str) -> NoReturn:
    raise Misconfigured(f"{name} is '{value}': {mend}.", setting=name, value=value)


_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Bounds of cron's fields: minute, hour, day, month, weekday."""


def _is_cron(text: str) -> bool:
    fields = text.split()
    return len(fields) == len(_CRON) and all(
        _is_cron_piece(piece, *bounds)
        for field, bounds in zip(fields, _CRON, strict=True)
        for piece in field.split(",")
    )


def _is_cron_piece(piece: str, low: int, high: int) -> bool:
    found = re.fullmatch(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([1-9][0-9]?))?", piece)
    if found is None:
        return False
    first, last = found.group(1) or str(low), found.group(2) or found.group(1) or str(high)
    return low <= int(first) <= int(last) <= high


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        _refuse(name, text, f"it must be a whole number from {low} to {high}")
    return int(text)


def _limit(env: Mapping[str, str], name: str, default: Limit) -> Limit:
    text = env.get(name, "")
    if not text:
        return default
    try:
        return read_limit(text)
    except ValueError:
        _refuse(name, text, "write a share and a size, such as 10%/2GB, or one of them")


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _chosen(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of the choices; the first if nothing is set."""
    text = (env.get(name) or choices[0]).lower()
    if text not in choices:
        _refuse(name, text, f"it must be one of {', '.join(choices)}")
    return text


def _http(env: Mapping[str, str], name: str) -> str | None:
    text = env.get(name) or None
    if text and urlsplit(text).scheme not in {"http", "https"}:
        _refuse(name, text, "it must begin with http:// or https://")
    return text


def _address(env: Mapping[str, str], name: str) -> tuple[str, int] | None:
    text = env.get(name, "")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        _refuse(name, text, "write a host and a port, such as 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)
