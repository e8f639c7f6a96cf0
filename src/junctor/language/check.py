"""The compatibility report: what of a blueprint would run here, and what to mend.

Pure: the registry comes in as a function, so the same report serves the command line, the page
and the API.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from junctor.errors import BlueprintInvalid
from junctor.language.blueprint import Imported, dump, load
from junctor.language.blueprint_check import Checker
from junctor.language.blueprint_report import Alias, Known, Offered, Report, Unsupported
from junctor.language.lossless import difference, loads, path_text
from junctor.language.scenario import Problem

__all__ = ["Alias", "Known", "Offered", "Report", "Unsupported", "check", "examine"]


def check(
    data: bytes,
    name: str,
    known: Known,
    round_trip: bool = False,
    offered: Offered | None = None,
) -> Report:
    """Reports on one blueprint file. Never raises for what is in ``data``.

    With ``round_trip`` the blueprint is exported again too, and any difference is an error.
    ``offered`` names all modules, to find the one that a wrong id nearly is.
    """
    report = Report(file=name)
    try:
        imported = load(data)
    except BlueprintInvalid as error:
        found = error.params.get("problems") or [
            {"path": "$", "severity": "error", "message": _sentence(error.params["reason"])}
        ]
        report.problems += [Problem(**problem) for problem in found]
        return report
    examine(report, imported, known, offered)
    if round_trip:
        report.problems += _round_trip(data, imported)
    return report


def examine(
    report: Report, imported: Imported, known: Known, offered: Offered | None = None
) -> Report:
    """Fills a report about a blueprint that was read already."""
    Checker(report, imported, known, offered).run()
    return report


def _round_trip(data: bytes, imported: Imported) -> list[Problem]:
    exported = dump(imported.document)
    spelled = json.loads(exported, parse_int=_Spelled, parse_float=_Spelled)
    if spelled == json.loads(data, parse_int=_Spelled, parse_float=_Spelled):
        if load(exported).scenario == imported.scenario:
            return []
        return [Problem("$", "error", "The exported blueprint reads as another scenario.")]
    where = difference(loads(data).value, loads(exported).value) or ()
    message = "The export differs from the import here. This is our bug: please report it."
    return [Problem(path_text(where), "error", message)]


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A number as it is written; never equal to a text."""

    text: str


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
