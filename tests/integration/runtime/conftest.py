"""Log entries are kept, not drawn: a trace of a thousand frames takes a second to draw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """For each test of this folder."""
    with structlog.testing.capture_logs():
        yield
