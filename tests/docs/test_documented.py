"""Whatever a user can set, call or place is documented, and nothing else claims to be."""

from __future__ import annotations

import re
import tomllib

import pytest

from junctor.app.cli.main import COMMANDS
from junctor.app.settings import SETTINGS
from tests.support import ROOT, SOURCE, tracked_files
from tools import reference

DOCS = ROOT / "docs"
DEVELOPERS = {"JUNCTOR_SHARED", "JUNCTOR_WRITE_SNAPSHOTS"}
"""Settings of tests and tools, which the program itself doesn't read."""
INTERNAL = re.compile(r"JUNCTOR_(CI|INTERNAL)_\w+")
"""What our own processes tell each other; not for users."""


def settings_in(text: str) -> set[str]:
    """The settings that a text names."""
    found = set(re.findall(r"\bJUNCTOR_[A-Z][A-Z_]*[A-Z]\b", text))
    return {name for name in found if not INTERNAL.fullmatch(name)}


def test_every_setting_is_on_the_page() -> None:
    documented = settings_in((DOCS / "configuration.md").read_text())
    used = {
        name: path.relative_to(ROOT).as_posix()
        for path in tracked_files()
        if path.suffix in {".py", ".sh"} or path.name in {"Makefile", "run"}
        for name in settings_in(path.read_text())
        if not path.is_relative_to(ROOT / "tests")
    }
    missing = {name: where for name, where in used.items() if name not in documented}
    assert not missing, f"not in docs/configuration.md: {missing}"


def test_every_setting_on_the_page_exists() -> None:
    documented = settings_in((DOCS / "configuration.md").read_text())
    assert documented - DEVELOPERS == set(SETTINGS)


def test_every_command_is_documented() -> None:
    page = reference.commands_page()
    assert not [name for name in COMMANDS if f"\n## junctor {name}\n" not in page]
    silent = [words for words, command in reference.commands() if not (command.help or "").strip()]
    assert not silent, "a command's docstring is its help"


def test_every_function_says_what_it_does_and_shows_it() -> None:
    infos = reference.functions()
    assert infos
    assert not [info.name for info in infos if not info.summary.strip()]
    assert not [info.name for info in infos if not info.examples and not info.impure]


def test_every_function_is_in_the_reference() -> None:
    page = reference.functions_page()
    assert not [info.name for info in reference.functions() if f"\n### {info.name}\n" not in page]


def test_every_module_says_what_it_does() -> None:
    modules = [each for found in reference.connectors() for each in found.modules.values()]
    assert not [each.id for each in modules if not each.label.strip() or not each.help.strip()]


def test_every_connector_is_in_the_reference() -> None:
    page = reference.connectors_page()
    for connector in reference.connectors():
        assert f"\n## {connector.label}\n" in page
        assert all(f"`{each.id}`" in page for each in connector.modules.values())


def test_every_connector_with_an_account_has_a_page() -> None:
    missing = [
        each.name
        for each in reference.connectors()
        if each.connections and not (DOCS / "connectors" / f"{each.name}.md").exists()
    ]
    assert not missing, f"docs/connectors/NAME.md is missing for {missing}"


def test_the_reference_is_up_to_date() -> None:
    stale = [path.relative_to(ROOT).as_posix() for path in reference.stale()]
    assert not stale, f"out of date, run `make docs`: {stale}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "`a`"), ("1.`b`", "`` 1.`b` ``"), ("a\nb", "`a⏎b`"), ("``", "``` `` ```")],
)
def test_code_survives_in_markdown(text: str, expected: str) -> None:
    assert reference.code(text) == expected


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    said = re.findall(
        r"^\| `([a-z0-9-]+)` \|", (DOCS / "dependencies.md").read_text(), re.MULTILINE
    )
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    wanted = {re.split(r"[\[<>=; ]", line)[0] for group in groups for line in group}
    assert set(said) == wanted
    assert len(said) == len(set(said))


def test_every_import_is_a_dependency() -> None:
    from tests.test_layers import imports_of

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {re.split(r"[\[<>=; ]", line)[0] for line in project["project"]["dependencies"]}
    known = {name.replace("-", "_") for name in names}
    known |= {"yarl", "junctor"}  # yarl: aiohttp's own addresses, of the version that it wants
    known |= {"_quickjs"}  # of quickjs-ng, whose own module loads what a code step must not pay for
    known |= {"yaml"}  # of the package pyyaml
    known |= {"markdown_it"}  # of the package markdown-it-py
    known |= {"opentelemetry"}  # of the extra otel, loaded where traces are wanted
    known |= {"pytest", "hypothesis"}  # of the plugin for users' tests, loaded by pytest alone
    stray = {
        f"{path.relative_to(SOURCE)}:{line} {name}"
        for path in SOURCE.rglob("*.py")
        for line, name in imports_of(path.read_text(), "junctor.x.y.z")
        if name.split(".")[0] not in known | STANDARD
    }
    assert not stray, f"imported, but not in pyproject.toml: {sorted(stray)}"


def test_every_promise_names_tests_that_exist() -> None:
    page = (DOCS / "reliability.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    promises = [row for row in rows if row != "proved by"]
    assert len(promises) > 10
    for row in promises:
        named = re.findall(r"`(tests/[\w/.]+)`", row)
        assert named, row
        assert all((ROOT / each).exists() for each in named), row


STANDARD = set(__import__("sys").stdlib_module_names)
