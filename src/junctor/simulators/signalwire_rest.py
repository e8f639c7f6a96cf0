"""The part of SignalWire's REST API (``/api/relay/rest``) that connectors need: numbers, groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from junctor.simulators.routes import Handler, Refused
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.signalwire import SignalWireSimulator

__all__ = ["Rest"]

Row = dict[str, Any]
BASE = "/api/relay/rest"
_HANDLERS = {
    "call_handler": (
        "relay_context", "relay_topic", "relay_script", "relay_application", "relay_connector",
        "relay_sip_endpoint", "relay_verto_endpoint", "laml_webhooks", "laml_application",
        "dialogflow", "video_room",
    ),
    "message_handler": (
        "relay_context", "relay_topic", "relay_application", "laml_webhooks", "laml_application",
    ),
    "call_receive_mode": ("voice", "fax"),
}  # fmt: skip


class Rest:
    """Handlers of one simulator."""

    def __init__(self, sim: SignalWireSimulator) -> None:
        self._sim = sim

    def table(self) -> Iterator[tuple[str, str, str, Handler]]:
        """Method, path, operation and handler."""
        numbers, number = f"{BASE}/phone_numbers", f"{BASE}/phone_numbers/{{id}}"
        yield "GET", numbers, "list_phone_numbers", self._list_numbers
        yield "GET", number, "retrieve_phone_number", self._get_number
        yield "PUT", number, "update_phone_number", self._update_number
        yield "GET", f"{BASE}/number_groups", "list_number_groups", self._list_groups
        yield "POST", f"{BASE}/tasks", "deliver_task", self._task

    def _list_numbers(self, request: Request) -> Reply:
        query = request.query
        rows = [
            row
            for row in self._sim.state.numbers.values()
            if query.get("filter_name", "").lower() in str(row["name"] or "").lower()
            and query.get("filter_number", "") in row["number"]
        ]
        return self._page(request, rows)

    def _list_groups(self, request: Request) -> Reply:
        return self._page(request, list(self._sim.state.number_groups.values()))

    def _get_number(self, request: Request) -> Reply:
        return Reply.json(self._number(request))

    def _update_number(self, request: Request) -> Reply:
        number = self._number(request)
        changed = request.json()
        for key, value in changed.items():
            if key not in number or not (key == "name" or key.startswith(("call_", "message_"))):
                raise Refused(422, f"{key} can't be set", code="invalid_parameter", rest=True)
            if not isinstance(value, str):
                raise Refused(422, f"{key} must be a string", code="invalid_parameter", rest=True)
            if key in _HANDLERS and value not in _HANDLERS[key]:
                raise Refused(422, f"{key} is not valid", code="invalid_parameter", rest=True)
            if key.endswith("_url") and value and not value.startswith(("http://", "https://")):
                raise Refused(422, f"{key} is no address", code="invalid_url", rest=True)
            if key.endswith("_method") and value not in {"GET", "POST"}:
                raise Refused(422, f"{key} is not valid", code="invalid_parameter", rest=True)
        number |= changed
        return Reply.json(number)

    def _task(self, request: Request) -> Reply:
        if not isinstance(request.json().get("context"), str):
            raise Refused(422, "context is missing", code="missing_parameter", rest=True)
        return Reply(204)

    def _number(self, request: Request) -> Row:
        found = self._sim.state.numbers.get(request.params["id"])
        if found is None:
            raise Refused(404, "no such number", rest=True)
        return found

    def _page(self, request: Request, rows: list[Row]) -> Reply:
        query = request.query
        size = _whole(query, "page_size", 50, 1, 1000)
        number = _whole(query, "page_number", 0, 0, 10**6)
        if number and not query.get("page_token"):
            raise Refused(422, "page_token is missing", code="missing_parameter", rest=True)

        def link(page: int, token: str) -> str:
            more = {"page_number": str(page), "page_size": str(size)}
            kept = {key: value for key, value in query.items() if key.startswith("filter_")}
            if page:
                more["page_token"] = token
            return f"{self._sim.origin}{request.path}?{urlencode({**kept, **more})}"

        shown = rows[number * size : (number + 1) * size]
        links = {"self": link(number, query.get("page_token", "")), "first": link(0, "")}
        if (number + 1) * size < len(rows):
            links["next"] = link(number + 1, f"PA{shown[-1]['id']}")
        if number:
            links["prev"] = link(number - 1, f"PB{shown[0]['id'] if shown else ''}")
        return Reply.json({"links": links, "data": shown})


def _whole(query: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        detail = f"{name} must be from {low} to {high}"
        raise Refused(422, detail, code="invalid_parameter", rest=True)
    return int(text)
