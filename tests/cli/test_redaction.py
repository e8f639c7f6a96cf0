"""One sink, and nothing secret passes it."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from junctor.app import logs
from junctor.language.connector import Secret

SECRET = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"nested": [{"deep": {"password": SECRET}}]},
        f"GET https://x.test/?token={SECRET}&a=1",
        f"sent 'Authorization: Bearer {SECRET}'",
        f"postgresql://junctor:{SECRET}@/db",
        f"https://me:{SECRET}@host:8443/path",
        {"anything": Secret(SECRET)},
        f"/hook/{SECRET}",
        f"Decide here: https://x.test/approve/{SECRET}",
        "jct_" + SECRET,
    ],
)
def test_secrets_are_masked_wherever_they_stand(value: object) -> None:
    assert SECRET not in str(logs.redact(value))


def test_bundles_keep_harmless_names_and_lose_secrets() -> None:
    bundle = {"key": "colour", "token": "ring", "password": SECRET, "n": 1}
    assert logs.redact_bundle(bundle) == {
        "key": "colour",
        "token": "ring",
        "password": logs.MASK,
        "n": 1,
    }


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:8801/rec/1.mp3", "https://a.test:8443/x@y", "see http://a:1, write to b@c"],
)
def test_an_address_with_a_port_is_no_secret(text: str) -> None:
    assert logs.redact(text) == text
    assert logs.redact_bundle({"recording": text}) == {"recording": text}


def test_log_lines_are_redacted_json(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.StringIO()
    monkeypatch.setattr(sys, "stderr", sink)
    root = logging.getLogger()
    kept, level, config = root.handlers[:], root.level, structlog.get_config()
    try:
        logs.configure("info", process="p")
        structlog.get_logger("a").info("sent", api_key=SECRET, url=f"https://x/?key={SECRET}")
        logging.getLogger("b").warning("refused token=%s", SECRET)
        logging.getLogger("b").error("at https://x/?token=%s", SECRET)
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        structlog.configure(**config)
        structlog.contextvars.clear_contextvars()
    lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(lines) == 3
    assert {line["process"] for line in lines} == {"p"}
    assert SECRET not in sink.getvalue()


def test_quiet_logs_follow_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    log = structlog.get_logger("follows")
    with io.StringIO() as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        logs.quiet()
        log.warning("first")
    monkeypatch.undo()
    log.warning("second")
    assert "second" in capsys.readouterr().err
    structlog.reset_defaults()
