"""Real exports: what of Make's own modules runs here."""

from __future__ import annotations

import csv
from collections import Counter

from junctor.language.check import check
from junctor.runtime.registry import Registry
from tests.support import shared_dir

NATIVE = frozenset(
    {"builtin", "util", "gateway", "http", "json", "xml", "csv", "regexp", "markdown", "datastore"}
    | {"email", "rss", "scenario-service", "code", "placeholder", "ai-tools", "ai-local-agent"}
)
"""Apps that belong to Make itself: everything of theirs is to run here."""

UNAVAILABLE = frozenset({"ai-tools", "ai-local-agent"})
"""Those of them that work with Make's own models."""


def test_every_native_module_of_the_exports_runs() -> None:
    folder = shared_dir("corpus")
    index = (folder / "INDEX.csv").read_text(encoding="utf-8").splitlines()
    classes = {row["file"]: row["class"] for row in csv.DictReader(index)}
    registry = Registry.load()
    lacking: Counter[str] = Counter()
    unread: list[str] = []
    for file in sorted((folder / "blueprints").iterdir()):
        kind = classes.get(file.stem) or classes.get(file.name, "")
        if kind not in {"export", "official_sample", "export_with_unknown_function"}:
            continue
        made = check(file.read_bytes(), file.name, registry.find, round_trip=True)
        for item in made.unsupported.values():
            assert item.advice, item.app
            if item.app in NATIVE - UNAVAILABLE:
                lacking.update(item.modules)
        if kind != "export_with_unknown_function":
            unread += [f"{file.name}: {p.message}" for p in made.problems if "be read" in p.message]
        lacking.update(
            p.message.partition(" ")[0] for p in made.problems if "runs here" in p.message
        )
    assert not lacking
    assert not unread
