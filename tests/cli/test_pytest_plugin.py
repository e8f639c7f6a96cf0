"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from tests.support import ROOT

pytest_plugins = ["pytester"]

ORDER = "order-with-lines"
INSTALLED = any(each.name == "junctor" for each in entry_points(group="pytest11"))
PLUGIN = [] if INSTALLED else ["-p", "junctor.app.pytest_plugin"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    for kind in ("blueprint", "test"):
        shutil.copy(ROOT / "examples" / f"{ORDER}.{kind}.json", pytester.path)
    return pytester


def test_cases_are_items(project: pytest.Pytester) -> None:
    result = project.runpytest(*PLUGIN, "-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*order-with-lines.test.json::Lines are added up PASSED*"])
    project.runpytest(*PLUGIN, "-k", "refused").assert_outcomes(passed=1, deselected=2)


def test_a_failure_is_readable(project: pytest.Pytester) -> None:
    path = project.path / f"{ORDER}.test.json"
    path.write_text(path.read_text().replace("422", "423"))
    result = project.runpytest(*PLUGIN)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["answer.status: expected 423, found 422"])
    path.write_text('{"cases": [{"name": "a"}]}')
    result = project.runpytest(*PLUGIN)
    result.stdout.fnmatch_lines(["*`junctor test --update` writes what happened*"])
    path.write_text('{"cases": [{"nam": "a"}]}')
    result = project.runpytest(*PLUGIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did you mean 'name'*"])


def test_files_of_others_are_left_alone(pytester: pytest.Pytester) -> None:
    (pytester.path / "jest.test.json").write_text('{"not": "ours"}')
    (pytester.path / "broken.test.json").write_text("{")
    result = pytester.runpytest(*PLUGIN)
    result.assert_outcomes()


def test_a_blueprint_may_be_named(project: pytest.Pytester) -> None:
    (project.path / "other.test.json").write_text(
        f'{{"blueprint": "{ORDER}.blueprint.json", "cases": [{{"name": "a", "expect": {{}}}}]}}'
    )
    project.runpytest(*PLUGIN).assert_outcomes(passed=4)


def test_the_fixture_rehearses(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        def test_refused(rehearse):
            seen = rehearse("{ORDER}.blueprint.json", bundles=[{{"order": "B"}}])
            assert seen["answer"]["status"] == 422
        """
    )
    project.runpytest(*PLUGIN, "-k", "test_refused").assert_outcomes(passed=1, deselected=3)


def test_unused_it_imports_nothing() -> None:
    code = (
        "import sys, pytest, junctor.app.pytest_plugin\n"
        "print([n for n in sys.modules if n.startswith('junctor.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['junctor.app', 'junctor.app.pytest_plugin']"
