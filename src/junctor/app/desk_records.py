"""Data stores and what modules remember, for the length of a rehearsal."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from copy import deepcopy
from datetime import tzinfo
from typing import Any

from junctor.engine.commands import Call
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
from junctor.language.records import Found, fitting, matches, ordered

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
        self._keys = itertools.count(1)

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
            case ReadState(scope, shared):
                return self._states.get((0 if shared else module, scope + shared))
            case WriteState(value, scope, shared):
                self._states[0 if shared else module, scope + shared] = value
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
                return key
            case WriteRecord(key, data) if data is not None:
                key = key or f"key {next(self._keys)}"
                store[key] = fitting(data, (), False, kept=ask.kept, zone=self._zone)
                return key
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
        found = [
            Found(key, dict(data), 0)
            for key, data in store.items()
            if matches(ask, key, data, self._zone)
        ]
        return [{"key": each.key, "data": each.data} for each in ordered(ask, found)]


_BOUND = ("datastore", "dataStore", "dataStoreId")
"""Parameters that say which store a module is bound to."""
