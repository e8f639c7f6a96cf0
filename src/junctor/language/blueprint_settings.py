"""What a blueprint's settings say that is kept here and not obeyed, or obeyed otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from junctor.language.blueprint import Imported, blueprint_of
from junctor.language.lossless import Steps
from junctor.language.scenario import Severity

__all__ = ["KNOWN", "settings_problems"]

KNOWN = frozenset(
    {
        "autoCommit",
        "autoCommitTriggerLast",
        "confidential",
        "dataloss",
        "dlq",
        "freshVariables",
        "maxErrors",
        "roundtrips",
        "sequential",
        "slots",
    }
)
"""Keys of ``metadata.scenario`` that exports have."""

_UNDOCUMENTED = "{} is kept; what it does is not documented, so it does nothing here."


def settings_problems(imported: Imported) -> Iterator[tuple[Steps, Severity, str]]:
    """Findings about the settings: place, severity, message."""
    metadata = blueprint_of(imported.document).get("metadata")
    if not isinstance(metadata, dict):
        return
    given = metadata.get("scenario")
    settings: Mapping[str, object] = given if isinstance(given, dict) else {}
    at: Steps = ("metadata", "scenario")
    if settings.get("dlq") is False:
        yield (
            (*at, "dlq"),
            "info",
            "Storing incomplete runs is off; they are stored here all the same.",
        )
    if imported.scenario.settings.dataloss:
        yield (
            (*at, "dataloss"),
            "info",
            "Data may be lost when storage is full, it says; here nothing is dropped.",
        )
    for key in ("freshVariables", "slots"):
        if settings.get(key):
            yield (*at, key), "info", _UNDOCUMENTED.format(key)
    for key in settings.keys() - KNOWN:
        yield (
            (*at, key),
            "info",
            f"{key} is no setting that is known here; it is kept and does nothing.",
        )
    if metadata.get("instant") is True:
        yield (
            ("metadata", "instant"),
            "info",
            (
                "Make would deactivate this scenario at its first error and end its runs after "
                "40 minutes; here it stays active and its runs may take longer."
            ),
        )
