"""A run's operations, read from its journal for people and the API.

Redaction happens here, on the way out; the journal itself keeps true values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from junctor.app.logs import redact, redact_bundle
from junctor.engine.journal import Tag, decode_segment
from junctor.language.outputs import unpack_outputs

__all__ = ["operations_of"]

Key = tuple[int, int, tuple[int, ...], int]


def operations_of(
    segments: Iterable[tuple[bytes, Mapping[bytes, bytes]]],
    names: Mapping[int, str] | None = None,
) -> list[dict[str, Any]]:
    """Operations in the order they were first recorded.

    ``segments`` are opened (unsealed) segments in order, each with its blobs; ``names`` are module
    names by id. Each operation has ``cycle``, ``module``, ``name``, ``path``, ``attempt``,
    ``status`` (done, failed, sent, waiting), ``bundles``, ``bytes``, ``ms``, ``input``, ``request``
    and ``error``, as far as known. ``handled``: an error handler decided; without bundles, that
    the module's bundle was dropped.
    """
    found: dict[Key, dict[str, Any]] = {}
    names = names or {}
    for data, blobs in segments:
        for record in decode_segment(data, blobs):
            _merge(found, record, names)
    return list(found.values())


def _merge(found: dict[Key, dict[str, Any]], record: list[Any], names: Mapping[int, str]) -> None:
    tag = record[0]
    if tag in {Tag.HEADER, Tag.VALUE, Tag.END, Tag.STAGED, Tag.SETTLED}:
        return
    cycle, module, path, attempt = record[1], record[2], tuple(record[3]), record[4]
    # Lists of an iterator's bundles are numbered where other records count attempts.
    listed = tag == Tag.OPERATION and isinstance(record[5], list)
    key = (cycle, module, path, 0 if listed else attempt)
    entry = found.setdefault(
        key,
        {
            "cycle": cycle,
            "module": module,
            "name": names.get(module, ""),
            "path": list(path),
            "attempt": key[3],
            "status": "sent",
            "bundles": [],
        },
    )
    if tag == Tag.OPERATION:
        entry["status"] = "done"
        if not listed and attempt > 0:  # what an error handler put in the place of a failed attempt
            entry["handled"] = True
        output = record[5] if listed else [] if record[5] is None else [record[5]]
        entry["bundles"].extend(redact_bundle(bundle) for bundle in output)
    elif tag == Tag.DONE:
        entry.pop("error", None)
        entry["status"] = "done"
        entry["bundles"] = [redact_bundle(bundle) for bundle in record[5]]
        entry["bytes"], entry["ms"] = record[6], record[7]
        if record[8] is not None:
            entry["input"] = redact_bundle(record[8])
    elif tag == Tag.FAILED:
        entry["status"] = "failed"
        entry["error"] = redact(record[5])
    elif tag == Tag.INTENT and record[7] is not None:
        request = dict(record[7])
        given = request.pop("arguments", None)
        if given is not None:
            entry.setdefault("input", redact_bundle(given))
        entry["request"] = redact_bundle(request)
    elif tag == Tag.WAIT:
        entry["status"] = "waiting" if entry["status"] == "sent" else entry["status"]
        entry["due"] = datetime.fromtimestamp(record[5], UTC)
    elif tag == Tag.ANSWER:
        entry["status"] = "done"
        data = unpack_outputs(record[6], record[7], record[8])
        if data is None:
            entry["bundles"] = [{"status": record[6], "body": _text(record[8])}]
        else:
            entry["bundles"] = [redact_bundle(data)]


def _text(body: Any) -> Any:
    if isinstance(body, bytes):
        return body.decode("utf-8", errors="replace")
    return body
