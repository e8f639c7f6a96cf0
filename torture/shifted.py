"""A Junctor process whose clock is wrong: ``python -m torture.shifted SECONDS ROLE …``.

The product has no such switch: `time.time` and the `datetime` that its modules have imported are
replaced, in this process alone. The monotonic clock is left as it is, as a wrong clock leaves it.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, tzinfo
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

OFFSET = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
_true_time = time.time


class Shifted(datetime):
    """A `datetime` whose now is another."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=OFFSET)


class _Patching(Loader):
    """Loads as the true loader does, and then replaces the module's clock."""

    def __init__(self, true: Any) -> None:
        self._true = true

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._true.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._true.exec_module(module)
        if getattr(module, "datetime", None) is datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]  # that is the point


class _Finder(MetaPathFinder):
    """Finds Junctor's own modules."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("junctor."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Patching(spec.loader)
        return spec


def main() -> None:
    """Becomes the command."""
    if OFFSET:
        time.time = lambda: _true_time() + OFFSET
        sys.meta_path.insert(0, _Finder())
    sys.argv = ["junctor", *sys.argv[2:]]
    from junctor.app.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
