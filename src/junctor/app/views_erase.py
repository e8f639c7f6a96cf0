"""What is shown of an erasure; the same from API and command line."""

from __future__ import annotations

from typing import Any

import msgspec

from junctor.app.erase import Report
from junctor.language import ids

__all__ = ["ErasureView", "erasure_record", "erasure_view"]


class ErasureView(msgspec.Struct, kw_only=True):
    """An erasure. ``erased`` is by place (of a dry run: what would be), ``left`` was found and is
    as it was; ``unfinished`` names runs that may go on with what was put in place. ``done`` false:
    ask the same again, and it goes on.
    """

    id: str
    done: bool
    dry_run: bool
    erased: dict[str, int]
    left: dict[str, int]
    unfinished: list[str]


def erasure_view(report: Report) -> ErasureView:
    """What is shown of one."""
    return ErasureView(
        id=ids.show("era", report.id),
        done=report.done,
        dry_run=report.dry_run,
        erased=report.counts,
        left=report.left,
        unfinished=report.unfinished,
    )


def erasure_record(report: Report) -> dict[str, Any]:
    """As JSON."""
    record: dict[str, Any] = msgspec.to_builtins(erasure_view(report))
    return record
