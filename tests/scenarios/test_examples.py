"""The examples are checked, tested by their own test files, and can be mocked."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.app.rehearsing import run_case, scenario_of
from junctor.language.check import check
from junctor.runtime.registry import Registry
from junctor.testing.cases import blueprint_of, read_suite
from tests.support import ROOT

EXAMPLES = ROOT / "examples"
REGISTRY = Registry.load()
CASES = [
    pytest.param(path, suite, case, id=f"{path.name}: {case.name}")
    for path in sorted(EXAMPLES.glob("*.test.json"))
    for suite in [read_suite(path)]
    for case in suite.cases
]


def test_every_example_has_tests() -> None:
    names = {path.name.split(".")[0] for path in EXAMPLES.glob("*.blueprint.json")}
    assert len(names) >= 3
    assert names == {path.name.split(".")[0] for path in EXAMPLES.glob("*.test.json")}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.blueprint.json")), ids=lambda p: p.name)
def test_every_example_checks_clean(path: Any) -> None:
    report = check(path.read_bytes(), path.name, REGISTRY.find, round_trip=True)
    assert report.ok
    assert report.runnable == report.total
    assert [each for each in report.problems if each.severity != "info"] == []


@pytest.mark.parametrize(("path", "suite", "case"), CASES)
def test_an_examples_test_passes(path: Any, suite: Any, case: Any) -> None:
    outcome = run_case(case, suite, scenario_of(blueprint_of(path, suite)), REGISTRY)
    assert outcome.ok, outcome.problem or "\n".join(map(str, outcome.differences))
