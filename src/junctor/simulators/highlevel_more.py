"""What a simulated HighLevel location offers beside contacts: rows of all kinds, opportunities,
calendars and submissions.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from junctor.simulators import checks
from junctor.simulators.highlevel_contacts import iso, require
from junctor.simulators.highlevel_rows import KINDS, Kind, Rows, after, page, shape
from junctor.simulators.highlevel_state import APPOINTMENT
from junctor.simulators.people import text_id
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["EVENT", "More"]

Row = dict[str, Any]
Handler = Callable[[Request], Reply]
OPPORTUNITY = (
    "pipelineId* locationId* name* pipelineStageId status* contactId* monetaryValue# "
    "forecastExpectedCloseDate forecastProbability# assignedTo customFields{}"
)
CHANGED = OPPORTUNITY.replace("*", "").replace("locationId ", "").replace("contactId ", "")
STATUSES = checks.one_of("open", "won", "lost", "abandoned")


class More:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount, chance: random.Random) -> None:
        self._sim = sim
        self.reset(chance)

    def reset(self, chance: random.Random) -> None:
        """As in a new location. ``chance`` is its own, so that contacts stay as they are."""
        sim = self._sim
        self._chance = chance
        where = {"locationId": sim.location_id}
        self.kinds = {
            kind.path: Rows(kind.word, self._chance, kind.seeds, **where) for kind in KINDS
        }
        stages = [{"id": text_id(self._chance), "name": name} for name in ("New", "Offer", "Won")]
        sales: Row = {"id": text_id(self._chance), "name": "Sales", "stages": stages, **where}
        self.pipelines = [sales]
        self.opportunities = Rows("Opportunity", self._chance)
        self.blocked = Rows("Blocked slot", self._chance)
        self.submissions: dict[str, Rows] = {
            kind: Rows("Submission", self._chance) for kind in ("forms", "surveys")
        }

    def as_record(self) -> Row:
        """Plain data for the admin API."""
        return {
            **{KINDS_BY[path].many: list(rows.rows.values()) for path, rows in self.kinds.items()},
            "pipelines": self.pipelines,
            "opportunities": list(self.opportunities.rows.values()),
        }

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        for kind in KINDS:
            yield from self._rows_routes(kind)
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("GET", "/opportunities/pipelines", "get-pipelines", self._pipelines),
            ("GET", "/opportunities/search", "search-opportunity", self._find_opportunities),
            ("POST", "/opportunities/search", "search-opportunities-advanced", self._advanced),
            ("POST", "/opportunities/", "create-opportunity", self._open),
            ("POST", "/opportunities/upsert", "upsert-opportunity", self._upsert),
            ("GET", "/opportunities/{id}", "get-opportunity", self._opportunity),
            ("PUT", "/opportunities/{id}", "update-opportunity", self._change),
            ("PUT", "/opportunities/{id}/status", "update-opportunity-status", self._status),
            ("DELETE", "/opportunities/{id}", "delete-opportunity", self._drop),
            ("GET", "/calendars/events", "get-calendar-events", self._events),
            ("GET", "/calendars/{calendarId}", "get-calendar", self._calendar),
            ("GET", "/calendars/{calendarId}/free-slots", "get-slots", self._free),
            ("PUT", "/calendars/events/appointments/{id}", "edit-appointment", self._move),
            ("DELETE", "/calendars/events/{id}", "delete-event", self._cancel),
            ("POST", "/calendars/events/block-slots", "create-block-slot", self._block),
            ("GET", "/calendars/blocked-slots", "get-blocked-slots", self._blocked),
            ("GET", "/locations/search", "search-locations", self._locations),
            ("GET", "/forms/submissions", "get-forms-submissions", self._submitted),
            ("GET", "/surveys/submissions", "get-surveys-submissions", self._submitted),
        )
        for method, path, operation, handler in table:
            older = "2021-04-15" if path.startswith(("/cal", "/conv")) else "2021-07-28"
            yield Route(method=method, path=path, operation=operation, handler=handler, note=older)

    # Rows of all kinds.

    def _rows_routes(self, kind: Kind) -> Iterator[Route]:
        base = kind.path.rstrip("/")
        note = "2021-04-15" if base.startswith("/calendars") else "2021-07-28"
        table: list[tuple[str, str, Handler]] = []
        if kind.lists:
            table.append(("GET", kind.path, lambda request: self._list(kind, request)))
        if kind.changes:
            table += [
                ("POST", kind.path, lambda request: self._make(kind, request)),
                ("GET", f"{base}/{{rowId}}", lambda request: self._get(kind, request)),
                ("PUT", f"{base}/{{rowId}}", lambda request: self._edit(kind, request)),
                ("DELETE", f"{base}/{{rowId}}", lambda request: self._delete(kind, request)),
            ]
        for method, path, handler in table:
            name = f"{method.lower()}-{kind.word.lower().replace(' ', '-')}"
            yield Route(method=method, path=path, operation=name, handler=handler, note=note)

    def _where(self, request: Request) -> None:
        place = request.params.get("locationId") or request.query.get("locationId")
        self._sim.own_location(place)

    def _list(self, kind: Kind, request: Request) -> Reply:
        self._where(request)
        rows = list(self.kinds[kind.path].rows.values())
        return self._sim.ok({kind.many: page(rows, request.query), "total": len(rows)})

    def _make(self, kind: Kind, request: Request) -> Reply:
        body = request.json()
        require(body, *shape(kind.fields))
        if "locationId" in request.params or "locationId" in shape(kind.fields)[0]:
            self._sim.own_location(request.params.get("locationId") or body.get("locationId"))
        shown = {key: value for key, value in body.items() if key != "password"}
        now = iso(self._sim.clock.date())
        dates = {"createdAt": now, "updatedAt": now} if kind.dated else {}
        where = {"locationId": self._sim.location_id}
        row = self.kinds[kind.path].add({**where, **kind.empty, **shown, **dates})
        self._told(kind, "Create", row)
        return self._answer(kind, row, 201, changed=True)

    def _get(self, kind: Kind, request: Request) -> Reply:
        return self._answer(kind, self.kinds[kind.path].get(request.params["rowId"]), 200)

    def _edit(self, kind: Kind, request: Request) -> Reply:
        row = self.kinds[kind.path].get(request.params["rowId"])
        body = request.json()
        require(body, shape(kind.fields)[0])
        if kind.dated:
            row["updatedAt"] = iso(self._sim.clock.date())
        row.update({key: value for key, value in body.items() if key != "password"})
        self._told(kind, "Update", row)
        return self._answer(kind, row, kind.changed, changed=True)

    def _delete(self, kind: Kind, request: Request) -> Reply:
        row = self.kinds[kind.path].remove(request.params["rowId"])
        self._told(kind, "Delete", row)
        done = {"success": True, "succeeded": True, "id": row["id"]}
        return self._sim.ok(done, kind.changed)

    def _told(self, kind: Kind, verb: str, row: Row) -> None:
        if kind.events:
            self._sim.emit(kind.events + verb, row)

    def _answer(self, kind: Kind, row: Row, status: int, *, changed: bool = False) -> Reply:
        key = (kind.written if changed else "") or kind.one
        return self._sim.ok(
            {**(kind.also if changed else {}), **({key: row} if key else row)}, status
        )

    # Opportunities.

    def _pipelines(self, request: Request) -> Reply:
        self._where(request)
        return self._sim.ok({"pipelines": self.pipelines})

    def _matching(self, wanted: Iterable[tuple[str, str]], query: str) -> list[Row]:
        rows = list(self.opportunities.rows.values())[::-1]
        for key, value in wanted:
            rows = [row for row in rows if row.get(key) == value]
        return [row for row in rows if query.lower() in str(row["name"]).lower()]

    def _find_opportunities(self, request: Request) -> Reply:
        # The older dialect writes these parameters with underscores.
        query = request.query
        if not self._sim.newest:
            known = {_snake(name): name for name in NAMES}
            kept = {key: value for key, value in query.items() if key not in NAMES}
            query = {known.get(key, key): value for key, value in kept.items()}
        self._sim.own_location(query.get("locationId"))
        names = ("pipelineId", "pipelineStageId", "contactId", "assignedTo", "status")
        wanted = [(key, query[key]) for key in names if query.get(key) not in (None, "", "all")]
        rows = self._matching(wanted, query.get("q", ""))
        start = 0
        if query.get("startAfterId"):
            start = after(rows, query["startAfterId"], "startAfterId")
        chosen = page(rows[start:], {"limit": query.get("limit", "20")})
        meta: Row = {"total": len(rows)}
        if start + len(chosen) < len(rows):
            last = chosen[-1]
            meta |= {"startAfterId": last["id"], "startAfter": _milliseconds(last["createdAt"])}
        return self._sim.ok({"opportunities": chosen, "meta": meta})

    def _advanced(self, request: Request) -> Reply:
        body = request.json()
        known = shape("locationId* query limit# page# searchAfter{} additionalDetails{}")
        require(body, *known)
        self._sim.own_location(body["locationId"])
        rows = self._matching((), body.get("query") or "")
        place = {"limit": str(body.get("limit", 20)), "page": str(body.get("page", 1))}
        return self._sim.ok({"opportunities": page(rows, place), "total": len(rows)})

    def _open(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape(OPPORTUNITY))
        return self._sim.ok({"opportunity": self._opened(body)}, 201)

    def _opened(self, body: Row) -> Row:
        self._sim.own_location(body.get("locationId"))
        self._fits(body)
        if body.get("contactId"):
            self._sim.state.contacts.get(body["contactId"])
        now = iso(self._sim.clock.date())
        stage = self.pipelines[0]["stages"][0]["id"]
        row = self.opportunities.add(
            {"pipelineStageId": stage, "status": "open", **body, "createdAt": now, "updatedAt": now}
        )
        self._sim.emit("OpportunityCreate", {**row, "dateAdded": now})
        return row

    def _fits(self, body: Row) -> None:
        if "status" in body and (wrong := STATUSES(body["status"])):
            raise Refused(422, [f"status {wrong}"])
        if "pipelineId" in body and body["pipelineId"] not in {p["id"] for p in self.pipelines}:
            raise Refused(400, "The pipeline id is invalid.")
        stages = {stage["id"] for each in self.pipelines for stage in each["stages"]}
        if "pipelineStageId" in body and body["pipelineStageId"] not in stages:
            raise Refused(400, "The pipeline stage id is invalid.")

    def _upsert(self, request: Request) -> Reply:
        body = request.json()
        more = " id followers[] isRemoveAllFollowers? followersActionType lostReasonId"
        require(body, shape(OPPORTUNITY + more)[0], ("pipelineId", "locationId"))
        plain = {key: body[key] for key in body if key in shape(OPPORTUNITY)[0]}
        if body.get("id"):
            row = self.opportunities.get(body["id"])
            self._changed(row, {key: v for key, v in plain.items() if key != "locationId"})
            return self._sim.ok({"opportunity": row, "new": False})
        return self._sim.ok({"opportunity": self._opened({"name": "", **plain}), "new": True})

    def _opportunity(self, request: Request) -> Reply:
        return self._sim.ok({"opportunity": self.opportunities.get(request.params["id"])})

    def _change(self, request: Request) -> Reply:
        row = self.opportunities.get(request.params["id"])
        body = request.json()
        require(body, *shape(CHANGED))
        self._changed(row, body)
        return self._sim.ok({"opportunity": row})

    def _status(self, request: Request) -> Reply:
        row = self.opportunities.get(request.params["id"])
        body = request.json()
        require(body, *shape("status* lostReasonId"))
        self._changed(row, body)
        return self._sim.ok({"succeded": True, "success": True})

    def _changed(self, row: Row, values: Row) -> None:
        self._fits(values)
        before = dict(row)
        row.update({**values, "updatedAt": iso(self._sim.clock.date())})
        self._sim.emit("OpportunityUpdate", row)
        for key, event in (
            ("status", "StatusUpdate"),
            ("pipelineStageId", "StageUpdate"),
            ("monetaryValue", "MonetaryValueUpdate"),
            ("assignedTo", "AssignedToUpdate"),
        ):
            if row.get(key) != before.get(key):
                self._sim.emit(f"Opportunity{event}", row)

    def _drop(self, request: Request) -> Reply:
        row = self.opportunities.remove(request.params["id"])
        self._sim.emit("OpportunityDelete", row)
        return self._sim.ok({"succeded": True, "success": True})

    # Calendars.

    def _calendar(self, request: Request) -> Reply:
        return self._sim.ok({"calendar": self._calendar_of(request.params["calendarId"])})

    def _calendar_of(self, calendar_id: str) -> Row:
        for row in self._sim.state.calendars:
            if row["id"] == calendar_id:
                return row
        raise Refused(404, f"Calendar not found: {calendar_id}")

    def _span(self, request: Request, first: str, last: str) -> tuple[float, float]:
        try:
            return int(request.query[first]) / 1000, int(request.query[last]) / 1000
        except (KeyError, ValueError) as error:
            said = f"{first} and {last} must be times in milliseconds"
            raise Refused(422, [said]) from error

    def _between(self, rows: Iterable[Row], request: Request) -> list[Row]:
        self._where(request)
        query = request.query
        if not any(query.get(key) for key in ("calendarId", "userId", "groupId")):
            raise Refused(422, ["one of calendarId, userId and groupId is required"])
        start, end = self._span(request, "startTime", "endTime")
        found = []
        for row in rows:
            at = datetime.fromisoformat(row["startTime"]).timestamp()
            of_calendar = query.get("calendarId") in (None, "", row.get("calendarId"))
            of_user = query.get("userId") in (None, "", row.get("assignedUserId"))
            if start <= at < end and of_calendar and of_user:
                found.append(row)
        return found

    def _events(self, request: Request) -> Reply:
        rows = self._between(self._sim.state.appointments.values(), request)
        return self._sim.ok({"events": [{**EVENT, **row} for row in rows]})

    def _blocked(self, request: Request) -> Reply:
        now = iso(self._sim.clock.date())
        none = {"contactId": "", "appointmentStatus": "", "dateAdded": now, "dateUpdated": now}
        rows = self._between(self.blocked.rows.values(), request)
        return self._sim.ok({"events": [{**EVENT, **none, **row} for row in rows]})

    def _block(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape("title calendarId assignedUserId locationId* startTime* endTime*"))
        self._sim.own_location(body["locationId"])
        return self._sim.ok(self.blocked.add(body), 201)

    def _free(self, request: Request) -> Reply:
        """Every half hour from nine to five UTC that no appointment begins in."""
        calendar = self._calendar_of(request.params["calendarId"])
        start, end = self._span(request, "startDate", "endDate")
        if end - start > 31 * 86_400:
            raise Refused(422, ["The date range can't be more than 31 days"])
        zone = self._sim.clock.date().tzinfo
        taken = {
            datetime.fromisoformat(row["startTime"]).timestamp()
            for row in self._sim.state.appointments.values()
            if row["calendarId"] == calendar["id"]
        }
        days: dict[str, Row] = {}
        moment = datetime.fromtimestamp(-(-start // 1800) * 1800, zone)
        while moment.timestamp() < end:
            if 9 <= moment.hour < 17 and moment.timestamp() not in taken:
                day = days.setdefault(moment.date().isoformat(), {"slots": []})
                day["slots"].append(moment.isoformat())
            moment += timedelta(minutes=30)
        return self._sim.ok(days)

    def _move(self, request: Request) -> Reply:
        row = self._sim.state.appointments.get(request.params["id"])
        if row is None:
            raise Refused(404, f"Appointment not found: {request.params['id']}")
        body = request.json()
        require(body, {key: c for key, c in APPOINTMENT.items() if key not in _FIXED})
        row.update({**body, "dateUpdated": iso(self._sim.clock.date())})
        self._sim.emit("AppointmentUpdate", {"appointment": row})
        return self._sim.ok(row)

    def _cancel(self, request: Request) -> Reply:
        which = request.params["id"]
        row = self._sim.state.appointments.pop(which, None)
        if row is None:
            self.blocked.remove(which)
        else:
            self._sim.emit("AppointmentDelete", {"appointment": row})
        return self._sim.ok({"succeeded": True}, 201)

    # The location.

    def _locations(self, _request: Request) -> Reply:
        return self._sim.ok({"locations": [self._sim.state.location]})

    def _submitted(self, request: Request) -> Reply:
        self._where(request)
        kind = request.path.split("/")[1]
        rows = list(self.submissions[kind].rows.values())[::-1]
        which = request.query.get("formId") or request.query.get("surveyId")
        if which:
            rows = [row for row in rows if which in (row.get("formId"), row.get("surveyId"))]
        first = request.query.get("startAt") or ""
        rows = [row for row in rows if row["createdAt"] >= first]
        return self._sim.ok(
            {"submissions": page(rows, request.query), "meta": {"total": len(rows)}}
        )

    def submit(self, kind: str, values: Row) -> Row:
        """A contact has filled in a form (``forms``) or a survey (``surveys``)."""
        return self.submissions[kind].add({"createdAt": iso(self._sim.clock.date()), **values})


KINDS_BY = {kind.path: kind for kind in KINDS}
_FIXED = {"locationId", "contactId"}
NAMES = ("locationId", "pipelineId", "pipelineStageId", "contactId", "assignedTo")


EVENT = {"title": "", "groupId": "", "assignedUserId": "", "users": []}
"""What every event of a calendar has, if only empty."""


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _milliseconds(date: str) -> int:
    return round(datetime.fromisoformat(date).timestamp() * 1000)
