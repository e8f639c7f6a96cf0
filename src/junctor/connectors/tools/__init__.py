"""The built-in tools: routers, iterators, aggregators, variables and error directives.

The engine does the routing; the functions here decide only what values come out. Names and fields
are those of Make's blueprints (``builtin:``, ``util:``, ``placeholder:``).
"""

from junctor.connectors.tools import aggregators, flow, throwing, transforms, variables
from junctor.connectors.tools.base import builtin, placeholder, util

__all__ = [
    "aggregators",
    "builtin",
    "flow",
    "placeholder",
    "throwing",
    "transforms",
    "util",
    "variables",
]
