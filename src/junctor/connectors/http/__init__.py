"""Any web service: requests made of what the user types and maps, and files fetched.

keychains.py   accounts: keys, passwords, tokens, certificates, proxies
building.py    fields, addresses, bodies and results that the modules share
sharing.py     cookies that the modules of a run share
paging.py      the pages of `MakeRequest`
legacy.py      the modules of blueprint version 3
modern.py      those of version 4
"""

from __future__ import annotations

from dataclasses import replace

from junctor.connectors.http import legacy, modern
from junctor.connectors.http.base import http
from junctor.connectors.http.sharing import shares

__all__ = ["http", "legacy", "modern"]

http.modules.update(
    {name: replace(module, remembers=shares) for name, module in http.modules.items()}
)
