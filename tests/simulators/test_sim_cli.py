from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import typer
from certificates import self_signed
from sim_client import call
from typer.testing import CliRunner

from junctor.app.cli.sim import register
from junctor.simulators import SIMULATORS, make
from junctor.simulators.kit import running

MAIN = """
import typer
from junctor.app.cli.sim import register
app = typer.Typer()
app.callback()(lambda: None)
register(app)
app()
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "sim", *arguments],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def invoke(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["sim", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("name", sorted(SIMULATORS))
def test_the_first_line_says_all_and_it_ends_cleanly(name: str) -> None:
    process = start(name, "--json", "--seed", "3", "--clock-factor", "100")
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    assert set(facts) == {"base_url", "credentials", "admin_url"}
    assert facts["credentials"] == make(name, seed=3).credentials
    assert facts["admin_url"] == facts["base_url"].removesuffix("/v1") + "/_sim"
    clock = asyncio.run(call("GET", facts["admin_url"] + "/clock"))
    assert clock.data["factor"] == 100
    # The faster loop must be able to reset a connection too.
    fault = {"kind": "cut_before"}
    asyncio.run(call("POST", facts["admin_url"] + "/faults", fault))
    with pytest.raises(ConnectionResetError):
        asyncio.run(call("GET", facts["base_url"] + "/x"))
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, "", "")


def test_without_json_it_speaks_to_people() -> None:
    process = start("toky")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("A simulated Toky is at http://127.0.0.1:")
    assert process.stdout.readline().startswith("  api_key: ")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")


def test_an_unknown_name_lists_the_known() -> None:
    code, output = invoke("parrot")
    assert code == 2
    assert "'parrot'" in output
    assert "crisp, highlevel, signalwire, toky" in output


def test_a_clock_must_run_forward() -> None:
    code, output = invoke("toky", "--clock-factor", "0")
    assert (code, "--clock-factor" in output) == (2, True)


def test_a_taken_port_is_said_plainly() -> None:
    async def run() -> tuple[int, str]:
        async with running(make("toky")) as sim:
            port = sim.origin.rpartition(":")[2]
            return await asyncio.to_thread(lambda: finish("toky", "--port", port))

    def finish(*arguments: str) -> tuple[int, str]:
        process = start(*arguments)
        _, err = process.communicate(timeout=120)
        return process.returncode, err

    code, output = asyncio.run(run())
    assert code == 1
    assert "is taken" in output
    assert "--port" in output
    assert "Traceback" not in output


def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    pem.write_bytes(b"".join(self_signed()))
    process = start("signalwire", "--json", "--certificate", str(pem))
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["base_url"].startswith("https://127.0.0.1:")
        answer = requests.get(f"{facts['admin_url']}/clock", verify=str(pem), timeout=120)
        assert answer.json()["factor"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_certificate_must_be_one(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    code, said = invoke("toky", "--certificate", str(wrong))
    assert code == 2
    assert "is no certificate with its key" in said
