"""What processes leave unloaded, so that they start quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from junctor.app.lean import absent


def test_a_package_is_absent_only_inside() -> None:
    name = "wsgiref"
    kept = {key: sys.modules.pop(key) for key in list(sys.modules) if key.startswith(name)}
    try:
        with absent(name), pytest.raises(ImportError):
            __import__(name)
        assert __import__(name).__name__ == name
        with absent(name):  # loaded already: it stays
            assert __import__(name).__name__ == name
    finally:
        sys.modules.update(kept)


START = (
    "import asyncio; asyncio.Runner.run = lambda _, work: work.close();"
    " from junctor.app.cli import main; assert main.run(['{role}']) == 0;"
)
HEAVY = {
    "faker", "imaplib", "junctor.app.cli.group", "phonenumbers", "polyfactory", "procrastinate",
    "prometheus_client", "pydantic", "rich", "smtplib", "typer",
}  # fmt: skip
"""What neither needs before it is asked for something that does."""


@pytest.mark.parametrize(
    ("role", "more", "heavy"),
    [
        (
            "server",
            "from junctor.app.api.app import build; build(None, None)",
            HEAVY | {"aiohttp", "junctor.adapters.transport"},
        ),
        ("worker", "pass", HEAVY | {"litestar", "junctor.app.activation", "uvicorn", "yaml"}),
    ],
)
def test_servers_and_workers_load_no_more_than_they_need(
    role: str, more: str, heavy: set[str]
) -> None:
    code = (
        f"{START.format(role=role)} {more}; import sys; print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
