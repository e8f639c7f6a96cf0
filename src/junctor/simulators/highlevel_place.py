"""The location of a simulated HighLevel as a whole: its people by search, templates, time zones,
and who follows its opportunities.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0);
of the time zones it shows no answer, and ``timeZones`` is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from junctor.simulators.highlevel_contacts import require
from junctor.simulators.highlevel_rows import page, shape
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["Place"]

Row = dict[str, Any]
ZONES = ("America/Chicago", "America/New_York", "Europe/Berlin", "Europe/London", "UTC")
TEMPLATES: tuple[Row, ...] = (
    {"id": "template-sms", "name": "Missed call", "type": "sms", "template": {"body": "Sorry!"}},
    {"id": "template-email", "name": "Welcome", "type": "email", "template": {"subject": "Hi"}},
)


class Place:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount) -> None:
        self._sim = sim

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        followers = "/opportunities/{id}/followers"
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("GET", "/users/search", "search-users", self._users),
            ("POST", "/users/search/filter-by-email", "filter-users-by-email", self._by_email),
            ("GET", "/locations/{locationId}/templates", "get-all-templates", self._templates),
            ("GET", "/locations/{locationId}/timezones", "get-timezones", self._zones),
            ("POST", followers, "add-followers-opportunity", self._follow),
            ("DELETE", followers, "remove-followers-opportunity", self._unfollow),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-07-28"
            )

    # People.

    def _people(self, company_id: Any) -> list[Row]:
        if not company_id:
            raise Refused(422, ["companyId should not be empty"])
        return [*self._sim.state.users, *self._sim.more.kinds["/users/"].rows.values()]

    def _users(self, request: Request) -> Reply:
        query = request.query
        rows = self._people(query.get("companyId"))
        wanted = query.get("query", "").lower()
        keys = ("name", "firstName", "lastName", "email", "phone")
        rows = [row for row in rows if any(wanted in str(row.get(k, "")).lower() for k in keys)]
        for key in ("type", "role"):
            if query.get(key):
                rows = [row for row in rows if row.get(key) == query[key]]
        if query.get("ids"):
            rows = [row for row in rows if row["id"] in query["ids"].split(",")]
        place = {"limit": query.get("limit", "25"), "skip": query.get("skip", "0")}
        return self._sim.ok({"users": page(rows, place), "count": len(rows)})

    def _by_email(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape("companyId* emails* deleted? skip limit projection"))
        wanted = {each.strip().lower() for each in body["emails"].split(",")}
        rows = [r for r in self._people(body["companyId"]) if r["email"].lower() in wanted]
        place = {"limit": str(body.get("limit", "25")), "skip": str(body.get("skip", "0"))}
        return self._sim.ok({"users": page(rows, place), "count": len(rows)})

    # Templates and time zones.

    def _templates(self, request: Request) -> Reply:
        self._sim.own_location(request.params["locationId"])
        query = request.query
        if not query.get("originId"):
            raise Refused(422, ["originId should not be empty"])
        rows = [dict(row) for row in TEMPLATES if query.get("type") in (None, "", row["type"])]
        if query.get("deleted") == "true":
            rows = []
        place = {"limit": query.get("limit", "25"), "skip": query.get("skip", "0")}
        return self._sim.ok({"templates": page(rows, place), "totalCount": len(rows)})

    def _zones(self, request: Request) -> Reply:
        self._sim.own_location(request.params["locationId"])
        return self._sim.ok({"timeZones": list(ZONES)})

    # Followers of opportunities.

    def _follow(self, request: Request) -> Reply:
        row, given = self._followed(request)
        new = [user for user in given if user not in row["followers"]]
        row["followers"] = [*row["followers"], *new]
        return self._sim.ok({"followers": row["followers"], "followersAdded": new}, 201)

    def _unfollow(self, request: Request) -> Reply:
        row, given = self._followed(request)
        every = request.query.get("isRemoveAllFollowers") == "true"
        gone = [user for user in row["followers"] if every or user in given]
        row["followers"] = [user for user in row["followers"] if user not in gone]
        return self._sim.ok({"followers": row["followers"], "followersRemoved": gone})

    def _followed(self, request: Request) -> tuple[Row, list[str]]:
        row = self._sim.more.opportunities.get(request.params["id"])
        body = request.json()
        require(body, *shape("followers[]*"))
        row.setdefault("followers", [])
        return row, body["followers"]
