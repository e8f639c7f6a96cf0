"""People profiles and visitors of a simulated Crisp."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from junctor.simulators import checks
from junctor.simulators.crisp_account import CrispAccount
from junctor.simulators.crisp_content import check_profile, require
from junctor.simulators.crisp_conversations import PLUGIN, instant, page_of
from junctor.simulators.crisp_state import merged
from junctor.simulators.kit import Refused, Route
from junctor.simulators.people import uuid_text
from junctor.simulators.wire import Reply, Request

__all__ = ["PeopleRoutes"]

W = "/website/{website_id}"
VISITORS_PAGE = 20
"""Assumed."""


class PeopleRoutes(CrispAccount):
    """People and visitors."""

    def people_routes(self) -> Iterable[Route]:
        """Their operations."""
        profile = W + "/people/profile/{people_id}"
        data, history = W + "/people/data/{people_id}", W + "/people/events/{people_id}"
        table = (
            ("GET", W + "/people/profiles/{page_number}", "list_profiles", self._list_people),
            ("POST", W + "/people/profile", "add_profile", self._add),
            ("HEAD", profile, "check_profile", self._get_person),
            ("GET", profile, "get_profile", self._get_person),
            ("PUT", profile, "save_profile", self._save),
            ("PATCH", profile, "update_profile", self._update),
            ("DELETE", profile, "remove_profile", self._remove_person),
            ("GET", data, "get_data", self._get_data),
            ("PUT", data, "save_data", self._save_data),
            ("PATCH", data, "update_data", self._update_data),
            ("POST", history, "add_event", self._add_event),
            ("GET", history + "/list/{page_number}", "list_events", self._list_events),
            (
                "GET",
                W + "/people/conversations/{people_id}/list/{page_number}",
                "list_conversations_of",
                self._conversations_of,
            ),
            (
                "GET",
                W + "/people/suggest/segments/{page_number}",
                "list_segments",
                self._segments,
            ),
            ("GET", W + "/people/stats", "people_stats", self._stats),
            ("GET", W + "/visitors/count", "count_visitors", self._count_visitors),
            ("GET", W + "/visitors/list/{page_number}", "list_visitors", self._visitors),
        )
        for method, path, operation, handler in table:
            yield Route(method=method, path=path, operation=operation, handler=handler, note=PLUGIN)

    def _person(self, request: Request) -> dict[str, Any]:
        found = self.site(request).person(request.params["people_id"])
        if found is None:
            raise Refused(404, "people_not_found")
        return found

    def _list_people(self, request: Request) -> Reply:
        query = request.query
        order = query.get("sort_order", "descending")
        if order not in {"ascending", "descending"}:
            raise Refused(400, "invalid_data", said=f"sort_order: {order!r} is no order")
        since, until = (instant(request, f"filter_date_{end}") for end in ("start", "end"))
        wanted = query.get("search_text", "").lower()
        conditions = _conditions(query.get("search_filter", ""))
        rows = [
            row
            for row in self.site(request).people.values()
            if (since is None or row["created_at"] >= since)
            and (until is None or row["created_at"] <= until)
            and (not wanted or wanted in f"{row['email']} {row['person'].get('nickname')}".lower())
            and _all_hold(row, conditions, any_=query.get("search_operator") == "or")
        ]
        field = query.get("sort_field", "created_at")
        if field not in {"created_at", "updated_at"}:
            raise Refused(400, "invalid_data", said=f"sort_field: {field!r} is not known here")
        rows.sort(key=lambda row: row[field], reverse=order == "descending")
        return self.ok("listed", page_of(request, rows))

    def _add(self, request: Request) -> Reply:
        site, body = self.site(request), request.json()
        check_profile(body, ("email",))
        if not body["email"]:
            raise Refused(400, "invalid_data", said="email should not be empty")
        if site.by_email(body["email"]) is not None:
            raise Refused(409, "people_exists")
        now = self.now
        row = {
            "people_id": uuid_text(self.chance),
            "email": "",
            "person": {},
            "company": {},
            "segments": [],
            "notepad": "",
            "score": 0,
            "created_at": now,
            "updated_at": now,
            **{key: value for key, value in body.items() if key != "active"},
            "active": {"now": False, "last": body.get("active") or now},
        }
        site.people[row["people_id"]] = row
        about = {"people_id": row["people_id"], "email": row["email"]}
        self.emit(site, "people:profile:created", about)
        return self.ok("added", {"people_id": row["people_id"]}, 201)

    def _get_person(self, request: Request) -> Reply:
        return self.ok("resolved", self._person(request))

    def _save(self, request: Request) -> Reply:
        row, body = self._person(request), request.json()
        check_profile(body)
        blank = {"email": row["email"], "person": {}, "company": {}, "segments": [], "notepad": ""}
        return self._write_person(request, row, {**blank, **body})

    def _update(self, request: Request) -> Reply:
        row, body = self._person(request), request.json()
        check_profile(body)
        return self._write_person(request, row, merged(row, body))

    def _write_person(self, request: Request, row: dict[str, Any], values: dict[str, Any]) -> Reply:
        site = self.site(request)
        other = site.by_email(values["email"])
        if other is not None and other["people_id"] != row["people_id"]:
            raise Refused(409, "people_exists")
        active = values.pop("active", row["active"])
        if not isinstance(active, dict):
            active = {"now": False, "last": active}
        row |= {**values, "active": active, "updated_at": self.now}
        about = {"people_id": row["people_id"], "email": row["email"]}
        update = {"person": row["person"], "updated_at": row["updated_at"]}
        self.emit(site, "people:profile:updated", {**about, "update": update})
        return self.ok("updated")

    def _remove_person(self, request: Request) -> Reply:
        site, row = self.site(request), self._person(request)
        del site.people[row["people_id"]]
        site.data.pop(row["people_id"], None)
        site.events.pop(row["people_id"], None)
        self.emit(site, "people:profile:removed", {"people_id": row["people_id"]})
        return self.ok("deleted")

    # Data and history.

    def _get_data(self, request: Request) -> Reply:
        held = self.site(request).data.get(self._person(request)["people_id"], {})
        return self.ok("resolved", {"data": held})

    def _save_data(self, request: Request) -> Reply:
        return self._put_data(request, {})

    def _update_data(self, request: Request) -> Reply:
        return self._put_data(
            request, self.site(request).data.get(self._person(request)["people_id"], {})
        )

    def _put_data(self, request: Request, before: dict[str, Any]) -> Reply:
        row, body = self._person(request), request.json()
        require(body, {"data": checks.mapping}, ("data",))
        self.site(request).data[row["people_id"]] = {**before, **body["data"]}
        return self.ok("updated")

    def _add_event(self, request: Request) -> Reply:
        row, body = self._person(request), request.json()
        shape = {
            "text": checks.filled,
            "data": checks.mapping,
            "color": checks.text,
            "timestamp": checks.whole(0, 2**53),
        }
        require(body, shape, ("text",))
        held = self.site(request).events.setdefault(row["people_id"], [])
        held.append({"timestamp": self.now, **body})
        return self.ok("added", status=201)

    def _list_events(self, request: Request) -> Reply:
        rows = self.site(request).events.get(self._person(request)["people_id"], [])
        return self.ok("listed", page_of(request, rows[::-1], size=20))

    def _conversations_of(self, request: Request) -> Reply:
        wanted = self._person(request)["people_id"]
        rows = self.site(request).conversations.values()
        found = [row["session_id"] for row in rows if row.get("people_id") == wanted]
        return self.ok("listed", page_of(request, found, size=20))

    def _segments(self, request: Request) -> Reply:
        return self.ok("listed", page_of(request, self.site(request).segments(), size=20))

    def _stats(self, request: Request) -> Reply:
        return self.ok("resolved", {"total": len(self.site(request).people)})

    # Visitors.

    def _count_visitors(self, request: Request) -> Reply:
        visitors = self.site(request).visitors
        active = sum(1 for visitor in visitors if visitor["active"])
        return self.ok("resolved", {"count": len(visitors), "active": active, "limited": False})

    def _visitors(self, request: Request) -> Reply:
        return self.ok("listed", page_of(request, self.site(request).visitors, size=VISITORS_PAGE))


def _conditions(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        rows = json.loads(text)
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and {"criterion", "operator", "query"} <= row.keys()
            for row in rows
        ):
            raise ValueError(text)
    except ValueError as error:
        raise Refused(400, "invalid_data", said="search_filter is no list of conditions") from error
    return rows


def _all_hold(row: dict[str, Any], conditions: list[dict[str, Any]], *, any_: bool) -> bool:
    if not conditions:
        return True
    tests = []
    for condition in conditions:
        value: Any = row
        for key in str(condition["criterion"]).split("."):
            value = value.get(key) if isinstance(value, dict) else None
        values = value if isinstance(value, list) else [value]
        held = any(str(each) in condition["query"] for each in values)
        tests.append(not held if condition["operator"] == "neq" else held)
    return any(tests) if any_ else all(tests)
