"""`junctor test`: scenario tests, the files beside blueprints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("test")
    def test(
        paths: Annotated[
            list[Path] | None,
            typer.Argument(help="Test files, blueprints or folders; this folder."),
        ] = None,
        word: Annotated[
            str, typer.Option("-k", help="Only cases with this in their file or name.")
        ] = "",
        update: Annotated[
            bool,
            typer.Option("--update", help="Write what happened into cases without 'expect'."),
        ] = False,
        init: Annotated[
            bool,
            typer.Option("--init", help="Write a first test file for a blueprint, from samples."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    ) -> None:
        """Runs scenario tests, without database or network. Exit 1 if one fails, 2 if none ran.

        A test file, NAME.test.json, lies beside NAME.blueprint.json.
        """
        from junctor.app.rehearsing import test_files

        given = paths or [Path()]
        if init:
            _first(given)
            return
        ran = _ran(test_files(given), word, update=update)
        if as_json:
            from junctor.app.cli.output import print_json

            print_json(_record(ran))
        else:
            _show(ran, update=update)
        if not any(file["cases"] or file["problem"] for file in ran):
            raise typer.Exit(2)
        if not all(each["ok"] for file in ran for each in file["cases"]) or any(
            file["problem"] for file in ran
        ):
            raise typer.Exit(1)


def _ran(files: list[Path], word: str, *, update: bool) -> list[dict[str, Any]]:
    """Every file with its cases; one that can't be read has a problem instead."""
    from junctor.app.offered import registry_of
    from junctor.app.rehearsing import run_suite
    from junctor.errors import JunctorError
    from junctor.testing.cases import write_expectations

    registry = registry_of()
    found = []
    for path in files:
        record: dict[str, Any] = {"file": str(path), "problem": "", "cases": []}
        new: dict[str, Any] = {}
        try:
            for case, outcome in run_suite(path, word=word, registry=registry):
                if outcome.new and update and not outcome.problem:
                    new[case.name] = {name: each for name, each in outcome.seen.items() if each}
                record["cases"].append(
                    {
                        "name": case.name,
                        "says": case.says,
                        "ok": outcome.ok or case.name in new,
                        "new": outcome.new,
                        "problem": outcome.problem,
                        "differences": [
                            {"path": each.path, "expected": each.expected, "found": each.found}
                            for each in outcome.differences
                        ],
                        "seen": outcome.seen,
                    }
                )
            if new:
                write_expectations(path, new)
        except JunctorError as error:
            record["problem"] = error.message
        found.append(record)
    return found


def _record(ran: list[dict[str, Any]]) -> dict[str, Any]:
    cases = [each for file in ran for each in file["cases"]]
    passed = sum(each["ok"] for each in cases)
    broken = sum(bool(file["problem"]) for file in ran)
    return {"passed": passed, "failed": len(cases) - passed + broken, "files": ran}


def _show(ran: list[dict[str, Any]], *, update: bool) -> None:
    from rich.text import Text

    from junctor.app.cli.output import console

    out = console()
    for file in ran:
        if not file["cases"] and not file["problem"]:
            continue
        out.print(Text(file["file"], style="bold"))
        if file["problem"]:
            out.print(Text(f"  {file['problem']}", style="red"))
        for case in file["cases"]:
            word, style = ("ok", "green") if case["ok"] else ("FAILED", "bold red")
            out.print(Text.assemble("  ", (word, style), f"  {case['name']}"))
            if case["problem"]:
                out.print(Text(f"      {case['problem']}", style="red"))
            for each in case["differences"]:
                out.print(Text(f"      {each['path']}", style="yellow"))
                out.print(Text(f"        expected  {each['expected']}"))
                out.print(Text(f"        found     {each['found']}"))
            if case["new"] and not case["problem"]:
                _show_new(out, case, update=update)
    cases = [case for file in ran for case in file["cases"]]
    passed = sum(case["ok"] for case in cases)
    failed = len(cases) - passed + sum(bool(file["problem"]) for file in ran)
    if not cases and not failed:
        out.print(Text("No tests here. `junctor test --init BLUEPRINT` writes a first file."))
        return
    style = "red" if failed else "green"
    out.print(Text(f"{passed} passed, {failed} failed", style=style))


def _show_new(out: Any, case: dict[str, Any], *, update: bool) -> None:
    from rich.text import Text

    said = "written as what it expects" if update else "it expects nothing; --update writes this"
    out.print(Text(f"      {said}:", style="cyan"))
    for name, value in case["seen"].items():
        if value:
            text = json.dumps(value, ensure_ascii=False, default=str)
            out.print(Text(f"        {name}: {text}"))


def _first(paths: list[Path]) -> None:
    from junctor.app.cli.output import console
    from junctor.app.offered import registry_of
    from junctor.app.rehearsing import first_suite, scenario_of
    from junctor.errors import Conflict, Misconfigured
    from junctor.testing.cases import SUFFIX
    from junctor.testing.mock import mock_run

    registry = registry_of()
    for path in paths:
        if path.is_dir() or path.name.endswith(SUFFIX):
            raise Misconfigured(f"{path} is no blueprint; --init takes a blueprint's file.")
        stem = path.name.removesuffix(".json").removesuffix(".blueprint")
        beside = path.with_name(stem + SUFFIX)
        if beside.exists():
            raise Conflict(f"{beside} is there already; add cases to it, or move it away.")
        mocked = mock_run(scenario_of(path), registry.find)
        beside.write_text(first_suite(path, mocked), encoding="utf-8")
        console().print(f"{beside} is written; `junctor test {beside}` runs it.")
