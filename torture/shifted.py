"""A Junctor process whose clock is wrong: ``python -m torture.shifted SECONDS ROLE …``.

The product has no such switch: `time.time` and the `datetime` that its modules have imported are
replaced, in this process alone. The monotonic clock is left as it is, as a wrong clock leaves it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

OFFSET = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
_true_time = time.time


class Shifted(datetime):
    """A `datetime` whose now is another."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """So many seconds away."""
        return datetime.now(tz) + timedelta(seconds=OFFSET)


def _patching(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    """Loads as before, and then replaces the module's clock."""

    def exec_module(module: ModuleType) -> None:
        load(module)
        if getattr(module, "datetime", None) is datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]  # that is the point

    return exec_module


class _Finder(MetaPathFinder):
    """Finds Junctor's own modules."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("junctor."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = _patching(loader.exec_module)
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
