"""Servers and workers that are started in plain words are started without Typer."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
import typer

from junctor.app.cli import processes


@pytest.mark.parametrize("name", processes.OPTIONS)
def test_the_options_are_those_of_the_command(name: str) -> None:
    app = typer.Typer()
    import_module(f"junctor.app.cli.{name}").register(app)
    command: Any = app.registered_commands[0].callback
    begins: Any = {"server": processes.start_server, "worker": processes.start_worker}[name]
    asked = inspect.signature(command, eval_str=True).parameters
    taken = inspect.signature(begins).parameters
    assert list(asked) == list(processes.OPTIONS[name]) == list(taken)
    for option, kind in processes.OPTIONS[name].items():
        written = str(asked[option].annotation)
        assert kind.__name__ in written, written
        assert asked[option].default == taken[option].default


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["server"], {}),
        (["server", "--port", "8080", "--host", "::1"], {"port": 8080, "host": "::1"}),
        (["server", "--fd", "3"], {"fd": 3}),
        (["worker", "--name", "night"], {"name": "night"}),
    ],
)
def test_plain_words_are_read(words: list[str], values: dict[str, Any]) -> None:
    start: Any = processes.plainly(words)
    assert start.func.__name__ == f"start_{words[0]}"
    assert start.keywords == values


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["runs"],
        ["server", "--help"],
        ["server", "--port"],
        ["server", "--port", "http"],
        ["server", "--port", "-1"],
        ["server", "--port=80"],
        ["server", "port", "80"],
        ["server", "--name", "night"],
        ["worker", "--name", "--help"],
        ["--help", "worker"],
    ],
)
def test_everything_else_is_for_typer(words: list[str]) -> None:
    assert processes.plainly(words) is None


def test_typer_explains_what_is_wrong(junctor: Any) -> None:
    said = junctor("server", "--port", "http")
    assert said.code == 2
    assert "--port" in said.err
    assert "--port" in junctor("server", "--help").out
