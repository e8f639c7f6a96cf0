"""Migrations only add: what is of the release before runs on the new schema meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import SOURCE

MIGRATIONS = sorted((SOURCE / "adapters" / "postgres" / "migrations").glob("*.sql"))

CONTRACTS: dict[str, str] = {}
"""Migrations that take something away, each with the release since which nothing uses it."""

WIDENED: dict[tuple[str, str], str] = {
    ("0002.built-in", "constrains"): "a column of the same migration, which no older code writes",
}
"""(migration, what was found) that look like a removal and are none, each with its reason."""

FORBIDDEN = {
    "drops": re.compile(r"\bdrop\s+(table|column|view|function|type|schema|sequence|domain)\b"),
    "renames": re.compile(r"\brename\s+(to|column|constraint|value)\b"),
    "changes a type": re.compile(r"\balter\s+(column\s+)?\w+\s+(set\s+data\s+)?type\b"),
    "forbids null": re.compile(r"\bset\s+not\s+null\b"),
    "takes a default away": re.compile(r"\bdrop\s+default\b"),
    "takes a right away": re.compile(r"\brevoke\b(?![^;]*\bfrom\s+public\b)"),
    "empties": re.compile(r"\btruncate\b"),
    "constrains": re.compile(r"\badd\s+(constraint|check|unique|primary\s+key|foreign\s+key)\b"),
}
ADDED = re.compile(r"\badd\s+column\s+(if\s+not\s+exists\s+)?\w+([^,;]*)")
UNIQUE = re.compile(r"\bcreate\s+unique\s+index\s+(?:if\s+not\s+exists\s+)?\w*\s*on\s+(\w+)")
CREATED = re.compile(r"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?(\w+)")


def plain(text: str) -> str:
    """SQL in lower case, without comments and quoted text."""
    text = re.sub(r"--[^\n]*", " ", text.lower())
    text = re.sub(r"'(?:[^']|'')*'", "''", text)
    return re.sub(r"\s+", " ", text)


def problems(text: str) -> set[str]:
    """What a migration does that the code before it may not survive."""
    sql = plain(text)
    found = {name for name, pattern in FORBIDDEN.items() if pattern.search(sql)}
    for _, rest in ADDED.findall(sql):
        if "not null" in rest and "default" not in rest and "generated" not in rest:
            found.add("adds a column that old writers leave empty")
    if set(UNIQUE.findall(sql)) - set(CREATED.findall(sql)):
        found.add("makes unique what was not")
    return found


@pytest.mark.parametrize("path", MIGRATIONS[1:], ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    if path.stem in CONTRACTS:
        return
    found = {each for each in problems(path.read_text()) if (path.stem, each) not in WIDENED}
    assert not found, (
        f"{path.name} {', '.join(sorted(found))}: the release before still runs on this schema. "
        "Add now and remove a release later, in a migration named in CONTRACTS"
    )


def test_the_lists_name_what_exists() -> None:
    stems = {path.stem for path in MIGRATIONS}
    assert set(CONTRACTS) <= stems
    assert {stem for stem, _ in WIDENED} <= stems
    for stem, what in WIDENED:
        (path,) = (path for path in MIGRATIONS if path.stem == stem)
        assert what in problems(path.read_text())


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("alter table runs drop column edited;", "drops"),
        ("DROP TABLE\n  seen", "drops"),
        ("alter table runs rename column a to b", "renames"),
        ("alter table runs rename to old", "renames"),
        ("alter table runs alter column a type bigint", "changes a type"),
        ("alter table runs alter a set data type bigint", "changes a type"),
        ("alter table runs alter column a set not null", "forbids null"),
        ("alter table a alter b drop default", "takes a default away"),
        ("alter table runs add constraint c check (a > 0)", "constrains"),
        ("revoke select on runs from junctor_api", "takes a right away"),
        ("truncate seen", "empties"),
        ("alter table a add column b int not null", "adds a column that old writers leave empty"),
        ("create unique index on runs (id)", "makes unique what was not"),
    ],
)
def test_what_takes_away_is_found(sql: str, problem: str) -> None:
    assert problem in problems(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "alter table a add column b int not null default 0, add column c text;",
        "create table a (b int not null, unique (b)); create unique index on a (b);",
        "create or replace function f() returns int language sql as $$ select 1 $$;",
        "-- drop table a\ninsert into a values ('drop table b')",
        "drop index if exists a_idx; create index on a (b);",
        "drop trigger t on a; drop policy p on a;",
    ],
)
def test_what_adds_is_not(sql: str) -> None:
    assert problems(sql) == set()
