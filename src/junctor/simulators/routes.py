"""A simulator's operations: which request runs which handler, and how a handler refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from junctor.simulators.wire import Reply, Request, unquote_segments

__all__ = ["Handler", "Refused", "Route", "Router"]

Handler = Callable[[Request], Reply]


class Refused(Exception):
    """The simulated vendor refuses a request; it becomes an answer in the vendor's shape."""

    def __init__(
        self,
        status: int,
        message: str | list[str],
        *,
        headers: tuple[tuple[str, str], ...] = (),
        **more: Any,
    ) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.headers = headers
        self.more = more


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. ``path`` may hold ``{name}`` segments; ``note`` is the vendor's business
    (an API version, a scope).
    """

    method: str
    path: str
    operation: str
    handler: Handler
    note: str = ""


class Router:
    """Finds a request's route. A literal segment beats a named one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in routes:
            segments = route.path.strip("/").split("/")
            self._routes.setdefault((route.method, len(segments)), []).append((segments, route))
        for rows in self._routes.values():
            rows.sort(key=lambda row: [segment.startswith("{") for segment in row[0]])

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and the values of its named segments."""
        given = unquote_segments(path)
        for segments, route in self._routes.get((method, len(given)), ()):
            params: dict[str, str] = {}
            for want, have in zip(segments, given, strict=True):
                if want.startswith("{") and have:
                    params[want[1:-1]] = have
                elif want != have:
                    break
            else:
                return route, params
        return None
