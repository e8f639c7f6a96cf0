"""What must never be in a file of this repository, and what every page must keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import ROOT, SOURCE, python_files, tracked_files

BINARY = {".png", ".ico", ".woff2", ".gz", ".zst", ".bin"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
MACHINE = re.compile(
    r"(?<![\w.$~}:/-])/(?:root|home|work|Users|opt|mnt|srv)/\w+|(?<![\w.])/tmp/w\b|C:\\\\Users"
)
"""A path of somebody's machine. Not: an address' path (something stands before it)."""
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted|registry\.npmjs|npmmirror|crates\.io|proxy\.golang|deb\.debian\.org"
    r"|--(?:extra-)?index-url|--find-links",
    re.IGNORECASE,
)
EXCUSED = {"tests/docs/test_repository.py"}
"""The patterns themselves."""

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PAGES = [path for path in tracked_files() if path.suffix == ".md"]


def name(path: Path) -> str:
    """A path as a test's name."""
    return path.relative_to(ROOT).as_posix()


def texts() -> list[tuple[str, str]]:
    """Every text file of the repository with its content."""
    return [
        (name(path), path.read_text(encoding="utf-8"))
        for path in tracked_files()
        if path.suffix not in BINARY and name(path) not in EXCUSED
    ]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs in the repository, as ``file:line: text``."""
    return [
        f"{file}:{number}: {line.strip()[:100]}"
        for file, text in texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_do() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in SOURCE.rglob("*")
        if path.suffix in {".py", ".sql"}
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def test_no_path_of_a_machine() -> None:
    assert not lines_with(MACHINE)


def test_no_address_of_a_package_registry() -> None:
    assert not lines_with(REGISTRY)


@pytest.mark.parametrize(
    ("text", "machine", "registry"),
    [
        ("see /root/x", True, False),
        ('open("/home/anna/x")', True, False),
        ("https://example.com/home/page", False, False),
        ("~/work/x and ../home/x", False, False),
        ("GET /website/work", False, False),
        ("pip install --index-url=https://pypi.org/simple", False, True),
    ],
)
def test_the_patterns_find_what_they_should(text: str, *, machine: bool, registry: bool) -> None:
    assert bool(MACHINE.search(text)) is machine
    assert bool(REGISTRY.search(text)) is registry


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_a_lock_names_hashes_and_no_addresses(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "@ " not in text
    entries = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:60]
        assert re.fullmatch(r"[^\n]+(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+\n?", entry), entry[
            :60
        ]


def test_what_runs_is_locked_alike_where_it_is_tested() -> None:
    run, dev = ({line for line in (ROOT / "requirements" / each).read_text().splitlines()
                 if line[:1].isalpha()} for each in ("run.txt", "dev.txt"))  # fmt: skip
    assert run < dev


def test_every_exception_to_a_rule_gives_its_reason() -> None:
    pattern = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(?P<codes>[^#\n]*)(?P<more>.*)")
    found = []
    for path in python_files("src", "tests", "tools", "bench", "examples"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = pattern.search(line)
            if match is None or name(path) in EXCUSED:
                continue
            codes = re.sub(
                r"^(\[[\w, -]+\]|:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)", "", match["codes"]
            )
            if codes == match["codes"] or not re.search(r"\w{2}", codes + match["more"]):
                found.append(f"{name(path)}:{number}: {line.strip()[:90]}")
    assert not found, "say which rule and why, on the same line"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as its readers make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (
            anchor and there.suffix == ".md" and anchor not in anchors(there.read_text())
        ):
            broken.append(target)
    assert not broken


def test_the_tour_names_files_that_exist() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text()
    named = set(re.findall(r"`([\w/]+/(?:\w+\.py|))`", tour))
    named |= set(
        re.findall(r"\[((?:adapters|engine|language|ports|runtime)/[\w/]*(?:\.py)?)\]", tour)
    )
    assert named
    assert not [
        each for each in named if not any((base / each).exists() for base in (SOURCE, ROOT))
    ]


def test_decisions_are_numbered_listed_and_whole() -> None:
    folder = ROOT / "docs" / "adr"
    found = sorted(path for path in folder.glob("*.md") if path.name != "index.md")
    index = (folder / "index.md").read_text()
    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    for path in found:
        text = path.read_text()
        title = text.splitlines()[0].removeprefix(f"# {path.name[:4]} ")
        assert f"| [{path.name[:4]}]({path.name}) | {title} |" in index
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Cost"]


def test_fragments_of_the_changelog_say_their_kind() -> None:
    kinds = re.compile(r"[a-z0-9-]+\.(breaking|added|changed|fixed)\.md")
    strange = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name[0] != "."]
    assert not [each for each in strange if not kinds.fullmatch(each)]


def test_the_readme_names_the_commands_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z-]+)\b(?=[` ]|$)", code_in((ROOT / page).read_text())))
        assert named
        assert named <= targets, page
    judged = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^make check\b", judged, re.MULTILINE)
    assert re.search(r"^make test\b", judged, re.MULTILINE)


def code_in(text: str) -> str:
    """What a page shows as code."""
    return "\n".join(
        re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    )
