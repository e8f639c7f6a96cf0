"""The key of an operation, and the vendor's mark that a module makes of it. No I/O."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from junctor.engine.commands import Address
from junctor.language.connector import ModuleDef

__all__ = ["key_of", "with_handle"]


def key_of(run_id: UUID, address: Address) -> str:
    """What tells an operation from all others: the same for its every attempt, and on replay."""
    place = "/".join(map(str, (address.cycle, address.module, *address.path)))
    return hashlib.sha256(f"{run_id}:{place}".encode()).hexdigest()


def with_handle(
    module: ModuleDef, arguments: dict[str, Any], run_id: UUID, address: Address
) -> dict[str, Any]:
    """The arguments as the module sends them: with a mark of this operation, if it has one."""
    if module.handle is None:
        return arguments
    return dict(module.handle(arguments, key_of(run_id, address)))
