"""Scenario tests in pytest: ``*.test.json`` beside a blueprint is collected, one item per case.

The fixture ``rehearse`` runs cases that are written in Python. Nothing but pytest is imported until
a test file is found or the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from junctor.testing.cases import Case, Outcome, Suite

__all__ = ["pytest_collect_file", "rehearse"]

_SUFFIX = ".test.json"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Takes a test file that lies beside a blueprint; others may have files of that name too."""
    if not file_path.name.endswith(_SUFFIX):
        return None
    stem = file_path.name.removesuffix(_SUFFIX)
    beside = (file_path.with_name(f"{stem}.blueprint.json"), file_path.with_name(f"{stem}.json"))
    if not any(each.is_file() for each in beside) and not _names_blueprint(file_path):
        return None
    made: pytest.Collector = SuiteFile.from_parent(parent, path=file_path)
    return made


def _names_blueprint(path: Path) -> bool:
    import json

    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("blueprint"), str)


class SuiteFile(pytest.File):
    """A test file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its cases."""
        from junctor.errors import JunctorError
        from junctor.testing.cases import read_suite

        try:
            suite = read_suite(self.path)
        except JunctorError as error:
            raise self.CollectError(error.message) from error
        for case in suite.cases:
            yield CaseItem.from_parent(self, name=case.name, case=case, suite=suite)


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, suite: Suite, **rest: Any) -> None:
        super().__init__(**rest)
        self._case = case
        self._suite = suite

    def runtest(self) -> None:
        """Runs it; fails with where it was not as expected."""
        from junctor.app.offered import registry_of
        from junctor.app.rehearsing import run_case, scenario_of
        from junctor.testing.cases import blueprint_of

        scenario = scenario_of(blueprint_of(self.path, self._suite))
        outcome = run_case(self._case, self._suite, scenario, registry_of())
        if not outcome.ok:
            pytest.fail(_told(outcome), pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands, for reports."""
        return self.path, None, f"{self.path.name}: {self.name}"


def _told(outcome: Outcome) -> str:
    if outcome.problem:
        return outcome.problem
    if outcome.new:
        return "The case expects nothing; `junctor test --update` writes what happened."
    return "\n".join(str(each) for each in outcome.differences)


@pytest.fixture
def rehearse() -> Callable[..., dict[str, Any]]:
    """``rehearse(blueprint, **given)``: what happens, in the shape of a test file's ``expect``.

    ``given`` are the keys of a test file's ``given``: ``bundles=[…]``, ``answers=[…]``, ``now=…``.
    """

    def run(blueprint: str | Path, **given: Any) -> dict[str, Any]:
        import msgspec

        from junctor.app.offered import registry_of
        from junctor.app.rehearsing import play, scenario_of
        from junctor.testing.cases import Given

        made = msgspec.convert(given, Given)
        return play(made, scenario_of(Path(blueprint)), registry_of())

    return run
