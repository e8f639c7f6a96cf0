from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from junctor.app.cli.eval import evaluate_line, register


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.callback()(lambda: None)
    register(made)
    return made


def test_one_template(app: typer.Typer) -> None:
    bundles = '{"1": {"name": "Ann", "n": [1, 2]}}'
    result = CliRunner().invoke(app, ["eval", "Hi {{upper(1.name)}}", "--bundles", bundles])
    assert (result.exit_code, result.stdout) == (0, "Hi ANN\n")
    result = CliRunner().invoke(app, ["eval", "{{1.n}}", "--bundles", bundles])
    assert (result.exit_code, result.stdout) == (0, "[1,2]\n")
    result = CliRunner().invoke(app, ["eval", "{{1.n}}", "--bundles", bundles, "--json"])
    assert json.loads(result.stdout) == {"value": [1, 2]}


def test_a_failure_has_its_exit_code(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["eval", "{{uper(1)}}"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Did you mean 'upper'?" in result.stderr
    result = CliRunner().invoke(app, ["eval", "{{uper(1)}}", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "expression"


def test_wrong_usage(app: typer.Typer, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["eval"]).exit_code == 2
    assert CliRunner().invoke(app, ["eval", "x", "--batch", str(tmp_path / "f")]).exit_code == 2
    assert CliRunner().invoke(app, ["eval", "--batch", str(tmp_path / "none")]).exit_code == 2
    assert CliRunner().invoke(app, ["eval", "x", "--bundles", "{"]).exit_code == 2
    assert CliRunner().invoke(app, ["eval", "x", "--bundles", "[]"]).exit_code == 0
    assert CliRunner().invoke(app, ["eval", "x", "--bundles", "[1]"]).exit_code == 1


def test_a_batch_answers_every_line_in_order(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    lines = [
        b'{"expr": "{{1.a}}", "bundles": {"1": {"a": 5}}}',
        b"not json",
        b"",
        b'{"expr": "{{parseDate(\\"2026-11-21 10:00\\"; \\"YYYY-MM-DD HH:mm\\")}}"}',
        b'{"expr": "{{abs(\\"x\\")}}"}',
        b'{"expr": 5}',
        b'{"bundles": {}}',
        b'{"expr": "{{1}}", "bundles": {"x": {}}}',
        b'"\xff"',
        b"[" * 5000,
        b'{"expr": "{{' + b"(" * 10000 + b'}}"}',
        b'{"expr": "{{2.a}} {{ignore}}", "bundles": {"2": null}}',
    ]
    file.write_bytes(b"\n".join(lines))
    result = CliRunner().invoke(app, ["eval", "--batch", str(file)])
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0] == {"value": 5}
    assert answers[3] == {"value": "2026-11-21T10:00:00.000Z"}
    assert answers[4]["error"]["code"] == "data"
    codes = [answer.get("error", {}).get("code") for answer in answers]
    assert codes == [None, "input", "input", None, "data", *["input"] * 5, "expression", None]
    assert all(answer["error"]["message"] for answer in answers if "error" in answer)
    assert answers[-1] == {"value": " "}


def test_a_line_never_raises() -> None:
    assert evaluate_line(b'{"expr": "{{now}}"}')["value"].endswith("Z")
    assert 0 <= evaluate_line(b'{"expr": "{{random}}"}')["value"] < 1
    assert len(evaluate_line(b'{"expr": "{{uuid}}"}')["value"]) == 36


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[1]", "it holds"),
        (b'{"bundles": {}}', "'expr' is missing"),
        (b'{"expr": 5}', "'expr' must be a text"),
        (b'{"expr": "x", "bundles": [1]}', "'bundles' must be an object"),
        (b'{"expr": "x", "bundles": {"a": {}}}', "'a' is no number"),
        (b"", "not valid JSON"),
    ],
)
def test_an_odd_line_says_what_is_odd(line: bytes, says: str) -> None:
    error = evaluate_line(line)["error"]
    assert error["code"] == "input"
    assert says in error["message"]
    assert "object has no attribute" not in error["message"]
