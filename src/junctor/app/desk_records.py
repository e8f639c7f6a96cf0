"""Data stores and what modules remember, for the length of a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import tzinfo
from functools import partial
from typing import Any

from junctor.engine.commands import Call
from junctor.errors import ExpressionError
from junctor.language.asks.records import (
    ClearRecords,
    CountRecords,
    FindRecords,
    ReadRecord,
    ReadState,
    WriteRecord,
    WriteState,
)
from junctor.language.connector import Ask
from junctor.language.filters import OPERATORS

__all__ = ["Records"]

_KINDS = (
    ClearRecords, CountRecords, FindRecords, ReadRecord, ReadState, WriteRecord, WriteState,
)  # fmt: skip


class Records:
    """Stores by the id that the blueprint has for them, as text; each a mapping of key → record."""

    def __init__(self, stores: Mapping[str, Mapping[str, dict[str, Any]]], zone: tzinfo) -> None:
        self.stores: dict[str, dict[str, dict[str, Any]]] = {
            str(name): {key: dict(record) for key, record in store.items()}
            for name, store in stores.items()
        }
        self._zone = zone
        self._committed = deepcopy(self.stores)
        self._states: dict[tuple[int, str], Any] = {}

    def commit(self) -> None:
        """What was written stays."""
        self._committed = deepcopy(self.stores)

    def rollback(self) -> None:
        """What was written since the last commit never was."""
        self.stores = deepcopy(self._committed)

    def knows(self, ask: Ask) -> bool:
        """Whether this is asked of data stores."""
        return isinstance(ask, _KINDS)

    def do(self, call: Call, ask: Ask) -> Any:
        """The answer, as the ask's own docstring says."""
        module = call.address.module
        match ask:
            case ReadState(scope):
                return self._states.get((module, scope))
            case WriteState(value, scope):
                self._states[module, scope] = value
                return None
            case _:
                return self._stored(self._store(call), ask)

    def _store(self, call: Call) -> dict[str, dict[str, Any]]:
        bound = next((call.parameters[n] for n in _BOUND if call.parameters.get(n)), "")
        return self.stores.setdefault(str(bound), {})

    def _stored(self, store: dict[str, dict[str, Any]], ask: Ask) -> Any:
        match ask:
            case ReadRecord(key):
                return dict(store[key]) if key in store else None
            case WriteRecord(key, None):
                store.pop(key, None)
            case WriteRecord(key, data) if data is not None:
                store[key] = dict(data)
            case CountRecords():
                return len(store)
            case ClearRecords():
                count = len(store)
                store.clear()
                return count
            case FindRecords():
                return self._found(store, ask)
        return None

    def _found(self, store: dict[str, dict[str, Any]], ask: FindRecords) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {"key": key, "data": dict(data)}
            for key, data in store.items()
            if not ask.conditions
            or any(all(self._holds(each, key, data) for each in group) for group in ask.conditions)
        ]
        for name, ascending in reversed(ask.sort):
            rows.sort(key=partial(_rank, name))
            if not ascending:
                rows.reverse()
        return rows if ask.limit is None else rows[: ask.limit]

    def _holds(self, condition: tuple[str, str, Any], key: str, data: Mapping[str, Any]) -> bool:
        name, operator, wanted = condition
        known = OPERATORS.get(operator)
        if known is None:
            raise ExpressionError(f"Unknown operator {operator!r} in a search of records.")
        return known.test(_value(name, key, data), wanted, self._zone)


_BOUND = ("datastore", "dataStore", "dataStoreId")
"""Parameters that say which store a module is bound to."""


def _value(name: str, key: str, data: Mapping[str, Any]) -> Any:
    if name == "key":
        return key
    value: Any = data
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _rank(name: str, row: Mapping[str, Any]) -> tuple[int, Any]:
    return _order(_value(name, row["key"], row["data"]))


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts, nothing last."""
    if value is None:
        return 2, ""
    if isinstance(value, int | float):
        return 0, value
    return 1, str(value)
