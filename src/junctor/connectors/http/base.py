"""The connector that the modules register with."""

from __future__ import annotations

from junctor.connectors.http.keychains import CONNECTIONS
from junctor.language.connector import Connector

__all__ = ["http"]

http = Connector(
    name="http",
    label="HTTP",
    help="Requests to any web service, and files from anywhere.",
    connections=CONNECTIONS,
)
