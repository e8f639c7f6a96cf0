"""The three connectors of the built-in tools; the files beside this one add their modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from junctor.language.connector import Connector

__all__ = ["Mapper", "builtin", "placeholder", "util"]

builtin = Connector(name="builtin", label="Flow control")
util = Connector(name="util", label="Tools")
placeholder = Connector(name="placeholder", label="Placeholder")

Mapper = Mapping[str, Any]
