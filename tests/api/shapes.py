"""What several API and command tests send."""

from __future__ import annotations

from typing import Any

from tests.support import ROOT

EXAMPLE = ROOT / "examples" / "missed-call-to-highlevel.blueprint.json"


def blueprint(name: str = "Pure") -> dict[str, Any]:
    """A scenario without accounts: it sets a variable from its trigger bundle."""
    module = {
        "id": 1,
        "module": "util:SetVariables",
        "version": 1,
        "parameters": {},
        "mapper": {"variables": [{"name": "greeting", "value": "hello"}], "scope": "roundtrip"},
    }
    return {"name": name, "flow": [module], "metadata": {"version": 1}}
