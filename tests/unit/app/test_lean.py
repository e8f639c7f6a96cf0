"""What processes leave unloaded, so that they start quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from junctor.app.lean import absent


def test_a_package_is_absent_only_inside() -> None:
    name = "wsgiref"
    kept = {key: sys.modules.pop(key) for key in list(sys.modules) if key.startswith(name)}
    try:
        with absent(name), pytest.raises(ImportError):
            __import__(name)
        assert __import__(name).__name__ == name
        with absent(name):  # loaded already: it stays
            assert __import__(name).__name__ == name
    finally:
        sys.modules.update(kept)


@pytest.mark.parametrize(
    "program",
    [
        (
            "import junctor.app.logs, junctor.app.server;"
            " from junctor.app.api.app import build; build(None, None)"
        ),
        "import junctor.app.logs, junctor.app.worker_process",
    ],
    ids=["server", "worker"],
)
def test_servers_and_workers_load_no_more_than_they_need(program: str) -> None:
    heavy = "{'rich', 'pydantic', 'phonenumbers', 'procrastinate', 'polyfactory', 'faker'}"
    code = f"{program}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
