"""Commands run in this process, over a database of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from junctor.app.cli.main import run


@dataclass
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture
def junctor(
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Runs a command line: ``junctor("runs", "--json")``."""
    base: Path = tmp_path_factory.getbasetemp() / "cli"
    base.mkdir(exist_ok=True)
    for name in ("JUNCTOR_DEBUG", "JUNCTOR_PORT", "JUNCTOR_HOST", "JUNCTOR_EGRESS_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUNCTOR_DATA_DIR", str(base))
    monkeypatch.setenv("JUNCTOR_DATABASE_URL", database_url)
    monkeypatch.setenv("JUNCTOR_PUBLIC_URL", "http://127.0.0.1:9")

    def command(*argv: str) -> Said:
        capfd.readouterr()
        structlog.reset_defaults()  # a test before this one may have set up its own logs
        code = run(argv)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return command
