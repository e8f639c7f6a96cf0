"""`junctor connectors`"""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from junctor.app.cli.connectors import register


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


def test_people_see_a_table(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert "HighLevel" in done.output
    assert "private_integration" in done.output


def test_one_connector(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["toky"])
    assert done.exit_code == 0
    assert "watchNewCalls" in done.output
    assert "upsertContact" not in done.output


def test_machines_get_every_form(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["toky", "--json"])
    rows = {row["name"]: row for row in json.loads(done.stdout)["modules"]}
    assert len(rows) == 22
    row = rows["getContact"]
    assert (row["id"], row["kind"], row["effect"]) == ("toky:getContact", "action", "read")
    assert row["schema"]["required"] == ["phone"]
    everything = json.loads(CliRunner().invoke(app, ["--json"]).stdout)["modules"]
    assert {"toky:getContact", "http:MakeRequest"} <= {row["id"] for row in everything}
