"""What surrounds the contacts of a simulated HighLevel location: followers, campaigns, workflows,
bulk changes, the location's tags and custom fields, and the tasks of all contacts.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from junctor.simulators.highlevel_contacts import require
from junctor.simulators.highlevel_rows import page, shape
from junctor.simulators.people import text_id
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["Around"]

Row = dict[str, Any]
FIELD = (
    "name* dataType placeholder acceptedFormat[] isMultipleFile? maxNumberOfFiles# "
    "textBoxListOptions{} position# model"
)


class Around:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount) -> None:
        self._sim = sim

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        contact = "/contacts/{contactId}"
        tags = "/locations/{locationId}/tags"
        fields = "/locations/{locationId}/customFields"
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("GET", "/contacts/business/{businessId}", "get-contacts-by-businessId", self._firm),
            ("POST", "/contacts/bulk/business", "add-remove-contact-from-business", self._hire),
            ("POST", "/contacts/bulk/tags/update/{type}", "create-association", self._bulk_tags),
            ("POST", f"{contact}/followers", "add-followers-contact", self._follow),
            ("DELETE", f"{contact}/followers", "remove-followers-contact", self._unfollow),
            ("POST", f"{contact}/campaigns/{{id}}", "add-contact-to-campaign", self._enter),
            ("DELETE", f"{contact}/campaigns/remove-all", "remove-from-campaigns", self._leave_all),
            ("DELETE", f"{contact}/campaigns/removeAll", "remove-from-campaigns", self._leave_all),
            ("DELETE", f"{contact}/campaigns/{{id}}", "remove-from-campaign", self._leave),
            ("POST", f"{contact}/workflow/{{id}}", "add-contact-to-workflow", self._enter),
            ("DELETE", f"{contact}/workflow/{{id}}", "delete-contact-from-workflow", self._leave),
            ("POST", tags, "create-tag", self._make_tag),
            ("GET", f"{tags}/{{id}}", "get-tag-by-id", self._tag),
            ("PUT", f"{tags}/{{id}}", "update-tag", self._rename_tag),
            ("DELETE", f"{tags}/{{id}}", "delete-tag", self._drop_tag),
            ("POST", fields, "create-custom-field", self._make_field),
            ("GET", f"{fields}/{{id}}", "get-custom-field", self._field),
            ("PUT", f"{fields}/{{id}}", "update-custom-field", self._edit_field),
            ("DELETE", f"{fields}/{{id}}", "delete-custom-field", self._drop_field),
            ("POST", "/locations/{locationId}/tasks/search", "task-search", self._tasks),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-07-28"
            )

    def _contact(self, request: Request) -> Row:
        return self._sim.state.contacts.get(request.params["contactId"])

    # Businesses and tags of many.

    def _firm(self, request: Request) -> Reply:
        self._sim.own_location(request.query.get("locationId"))
        which = request.params["businessId"]
        rows = [r for r in self._sim.state.contacts.rows.values() if r.get("businessId") == which]
        return self._sim.ok({"contacts": page(rows, request.query), "count": len(rows)})

    def _hire(self, request: Request) -> Reply:
        body = request.json()
        require(body, shape("locationId ids[] businessId")[0], ("locationId", "ids"))
        self._sim.own_location(body["locationId"])
        for contact_id in body["ids"]:
            self._sim.state.contacts.get(contact_id)["businessId"] = body.get("businessId")
        return self._sim.ok({"success": True, "ids": body["ids"]})

    def _bulk_tags(self, request: Request) -> Reply:
        verb = request.params["type"]
        if verb not in {"add", "remove"}:
            raise Refused(422, ["type must be one of the following values: add, remove"])
        body = request.json()
        require(body, *shape("contacts[]* tags[]* locationId* removeAllTags?"))
        self._sim.own_location(body["locationId"])
        contacts = self._sim.state.contacts
        change = contacts.add_tags if verb == "add" else contacts.remove_tags
        for contact_id in body["contacts"]:
            contact = contacts.get(contact_id)
            tags = contact["tags"] if body.get("removeAllTags") else body["tags"]
            change(contact, list(tags), self._sim.clock.date())
            self._sim.emit_contact("ContactTagUpdate", contact)
        return self._sim.ok(
            {"succeeded": True, "succeded": True, "errorCount": 0, "responses": []}, 201
        )

    # Followers, campaigns, workflows.

    def _follow(self, request: Request) -> Reply:
        contact, given = self._followers(request)
        new = [user for user in given if user not in contact["followers"]]
        contact["followers"] += new
        return self._sim.ok({"followers": contact["followers"], "followersAdded": new}, 201)

    def _unfollow(self, request: Request) -> Reply:
        contact, given = self._followers(request)
        gone = [user for user in given if user in contact["followers"]]
        contact["followers"] = [user for user in contact["followers"] if user not in gone]
        return self._sim.ok({"followers": contact["followers"], "followersRemoved": gone})

    def _followers(self, request: Request) -> tuple[Row, list[str]]:
        contact = self._contact(request)
        body = request.json()
        require(body, *shape("followers[]*"))
        contact.setdefault("followers", [])
        return contact, body["followers"]

    def _enter(self, request: Request) -> Reply:
        contact, kind = self._contact(request), _kind(request)
        rows = self._sim.more.kinds[f"/{kind}/"].rows
        if request.params["id"] not in rows:
            raise Refused(404, f"{kind[:-1].capitalize()} not found: {request.params['id']}")
        running = contact.setdefault(kind, [])
        if request.params["id"] not in running:
            running.append(request.params["id"])
        status = 200 if kind == "workflows" else 201
        return self._sim.ok({"succeeded": True, "succeded": True}, status)

    def _leave(self, request: Request) -> Reply:
        contact, kind = self._contact(request), _kind(request)
        contact[kind] = [each for each in contact.get(kind, []) if each != request.params["id"]]
        return self._sim.ok({"succeeded": True, "succeded": True})

    def _leave_all(self, request: Request) -> Reply:
        self._contact(request)["campaigns"] = []
        return self._sim.ok({"succeeded": True, "succeded": True})

    # Tags and custom fields of the location.

    def _tag_row(self, request: Request) -> Row:
        self._sim.own_location(request.params["locationId"])
        for row in self._sim.state.tags():
            if row["id"] == request.params["id"]:
                return dict(row)
        raise Refused(404, f"Tag not found: {request.params['id']}")

    def _make_tag(self, request: Request) -> Reply:
        self._sim.own_location(request.params["locationId"])
        body = request.json()
        require(body, *shape("name*"))
        self._sim.state.own_tags[body["name"].lower()] = None
        name = body["name"].lower()
        return self._sim.ok({"tag": next(t for t in self._sim.state.tags() if t["name"] == name)})

    def _tag(self, request: Request) -> Reply:
        return self._sim.ok({"tag": self._tag_row(request)})

    def _rename_tag(self, request: Request) -> Reply:
        row = self._tag_row(request)
        body = request.json()
        require(body, *shape("name*"))
        self._replace(row["name"], body["name"].lower())
        return self._sim.ok({"tag": {**row, "name": body["name"].lower()}})

    def _drop_tag(self, request: Request) -> Reply:
        self._replace(self._tag_row(request)["name"], None)
        return self._sim.ok({"succeded": True})

    def _replace(self, old: str, new: str | None) -> None:
        state = self._sim.state
        state.own_tags.pop(old, None)
        if new is not None:
            state.own_tags[new] = None
        for contact in state.contacts.rows.values():
            if old in contact["tags"]:
                others = [tag for tag in contact["tags"] if tag not in {old, new}]
                contact["tags"] = others if new is None else [*others, new]

    def _field_row(self, request: Request) -> Row:
        self._sim.own_location(request.params["locationId"])
        for row in self._sim.state.custom_fields:
            if row["id"] == request.params["id"]:
                return row
        raise Refused(404, f"Custom field not found: {request.params['id']}")

    def _make_field(self, request: Request) -> Reply:
        self._sim.own_location(request.params["locationId"])
        body = request.json()
        require(body, shape(FIELD)[0], ("name", "dataType"))
        model = body.get("model", "contact")
        key = f"{model}.{body['name'].lower().replace(' ', '_')}"
        row = {
            **body,
            "id": text_id(self._sim.chance),
            "fieldKey": key,
            "model": model,
            "locationId": self._sim.location_id,
        }
        self._sim.state.custom_fields.append(row)
        known = {key: row["id"], key.partition(".")[2]: row["id"]}
        self._sim.state.contacts.field_ids |= known
        return self._sim.ok({"customField": row}, 201)

    def _field(self, request: Request) -> Reply:
        return self._sim.ok({"customField": self._field_row(request)})

    def _edit_field(self, request: Request) -> Reply:
        row = self._field_row(request)
        body = request.json()
        require(body, *shape(FIELD))
        row.update(body)
        return self._sim.ok({"customField": row})

    def _drop_field(self, request: Request) -> Reply:
        self._sim.state.custom_fields.remove(self._field_row(request))
        return self._sim.ok({"succeded": True})

    # Tasks of all contacts.

    def _tasks(self, request: Request) -> Reply:
        self._sim.own_location(request.params["locationId"])
        body = request.json()
        require(body, *shape("contactId[] completed? assignedTo[] query limit# skip# businessId"))
        rows = list(self._sim.state.tasks.rows.values())[::-1]
        for key in ("contactId", "assignedTo"):
            if body.get(key):
                rows = [row for row in rows if row.get(key) in body[key]]
        if body.get("completed") is not None:
            rows = [row for row in rows if row["completed"] == body["completed"]]
        wanted = str(body.get("query") or "").lower()
        rows = [row for row in rows if wanted in row["title"].lower()]
        place = {"limit": str(body.get("limit", 25)), "skip": str(body.get("skip", 0))}
        return self._sim.ok({"tasks": page(rows, place)})


def _kind(request: Request) -> str:
    return "campaigns" if "/campaigns/" in request.path else "workflows"
