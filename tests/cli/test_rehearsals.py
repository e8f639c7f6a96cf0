"""`junctor run once --mock` and `junctor test`: no database, no network."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from junctor.app.cli.main import run
from tests.support import ROOT

ORDER = "order-with-lines"


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command(Protocol):
    def __call__(self, *argv: object) -> Said: ...


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs a command line in an empty folder, where nothing says how to reach a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUNCTOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    def said(*argv: object) -> Said:
        capfd.readouterr()
        code = run([str(each) for each in argv])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return said


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """A copy of an example's blueprint, its tests beside it."""
    for kind in ("blueprint", "test"):
        shutil.copy(ROOT / "examples" / f"{ORDER}.{kind}.json", tmp_path)
    return tmp_path / f"{ORDER}.blueprint.json"


def test_a_mock_run_shows_the_way(command: Command, order: Path) -> None:
    said = command("run", "once", order, "--mock")
    assert said.code == 0
    assert "● 3 builtin:BasicAggregator" in said.out
    assert "○ 7 gateway:WebhookRespond" in said.out
    assert "nothing was sent" in said.out
    every = command("run", "once", order, "--mock", "--all-routes")
    assert "every route taken whatever its filter says" in every.out
    assert "● 7 gateway:WebhookRespond" in every.out


def test_a_mock_run_for_machines(command: Command, order: Path, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"order": "A", "lines": []}')
    said = command("run", "once", order, "--mock", "--input", tmp_path / "in.json", "--json").json
    assert said["status"] == "finished"
    modules = {each["id"]: each for each in said["modules"]}
    assert modules[1]["output"] == {"order": "A", "lines": []}
    assert modules[1]["supported"]
    assert said["notes"] == [
        {"module": 2, "text": "There was nothing to go through; here it gives a sample."}
    ]
    assert set(said) == {
        "name", "mock", "all_routes", "status", "error", "operations", "route", "unsupported",
        "modules", "ways", "notes",
    }  # fmt: skip


def test_a_mock_run_says_what_stops_it(command: Command, tmp_path: Path) -> None:
    twice = {"id": 1, "module": "alien:x", "version": 1}
    (tmp_path / "bad.json").write_text(json.dumps({"name": "n", "flow": [twice, twice]}))
    said = command("run", "once", "bad.json", "--mock")
    assert said.code == 1
    assert "occur twice" in said.out
    said = command("run", "once", "bad.json", "--mock", "--json")
    assert (said.code, said.json["status"]) == (1, "not run")
    assert command("run", "once", "none.json", "--mock").code == 1
    (tmp_path / "cut.json").write_text('{"flow": [')
    said = command("run", "once", "cut.json", "--mock")
    assert said.code == 1
    assert "line 1" in said.err
    assert "--mock" in command("run", "once", "x", "--all-routes").err


def test_a_mock_run_names_what_is_not_offered(command: Command, tmp_path: Path) -> None:
    flow = [
        {"id": 1, "module": "alien:watch", "version": 1},
        {"id": 2, "module": "alien:act", "version": 1, "mapper": {"x": "{{1.name}}"},
         "filter": {"name": "never", "conditions": [[{"a": "1", "o": "number:equal", "b": "2"}]]}},
    ]  # fmt: skip
    (tmp_path / "alien.json").write_text(json.dumps({"name": "n", "flow": flow}))
    said = command("run", "once", "alien.json", "--mock")
    assert said.code == 0
    assert "its filter “never” stopped 1" in said.out
    assert "a real run would stop there: 1 alien:watch, 2 alien:act" in said.out


def test_tests_pass(command: Command, order: Path) -> None:
    said = command("test", order.parent)
    assert said.code == 0
    assert "3 passed, 0 failed" in said.out
    assert command("test").code == 0
    assert "1 passed" in command("test", order, "-k", "refused").out
    said = command("test", order, "-k", "nothing of the kind")
    assert said.code == 2


def test_a_failing_test_says_where(command: Command, order: Path) -> None:
    tests = order.with_name(f"{ORDER}.test.json")
    tests.write_text(tests.read_text().replace("7.55", "7.56"))
    said = command("test", tests)
    assert said.code == 1
    assert "bundles[5][0].total" in said.out
    assert "expected  7.56" in said.out
    assert "2 passed, 1 failed" in said.out
    told = command("test", tests, "--json")
    assert told.code == 1
    assert (told.json["passed"], told.json["failed"]) == (2, 1)
    first = told.json["files"][0]["cases"][0]
    assert first["differences"][0] == {
        "path": "bundles[5][0].total", "expected": "7.56", "found": "7.55",
    }  # fmt: skip
    tests.write_text('{"cases": [{"nam": 1}]}')
    said = command("test", tests)
    assert said.code == 1
    assert "did you mean 'name'" in said.out


def test_new_cases_are_shown_and_written(command: Command, order: Path) -> None:
    tests = order.with_name(f"{ORDER}.test.json")
    tests.write_text('{"cases": [{"name": "new", "given": {"bundles": [{"order": "B"}]}}]}')
    said = command("test", tests)
    assert said.code == 1
    assert "--update writes this" in said.out
    said = command("test", tests, "--update")
    assert said.code == 0
    assert '"status": 422' in said.out
    assert json.loads(tests.read_text())["cases"][0]["expect"]["answer"]["status"] == 422
    assert command("test", tests).code == 0
    tests.write_text(tests.read_text().replace("422", "423"))
    assert command("test", tests, "--update").code == 1  # what is expected is never overwritten


def test_a_first_file_is_made_and_passes(command: Command, tmp_path: Path) -> None:
    blueprint = tmp_path / "missed-call-to-highlevel.blueprint.json"
    shutil.copy(ROOT / "examples" / blueprint.name, tmp_path)
    assert "--init" in command("test", blueprint).err
    assert command("test", "--init", blueprint).code == 0
    said = command("test", tmp_path)
    assert said.code == 0
    assert "1 passed" in said.out
    again = command("test", "--init", blueprint)
    assert again.code == 1
    assert "is there already" in again.err
    assert command("test", "--init", tmp_path).code == 1


def test_no_tests_at_all(command: Command) -> None:
    said = command("test")
    assert said.code == 2
    assert "--init" in said.out
