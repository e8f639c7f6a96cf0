"""Conversations of a simulated HighLevel location: what is sent, what comes in, what is listed.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from junctor.simulators import checks
from junctor.simulators.highlevel_contacts import iso, require
from junctor.simulators.highlevel_rows import Rows, after, page, shape, whole
from junctor.simulators.people import text_id
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["Talk"]

Row = dict[str, Any]
SENT = (
    "type* contactId* message html subject attachments[] fromNumber toNumber emailFrom emailTo "
    "emailCc[] emailBcc[] emailReplyMode replyMessageId threadId templateId appointmentId "
    "conversationProviderId subType customSubtypeId status scheduledTimestamp# forward{} "
    "usesNativeSchedulingAi? optimizationPeriod"
)
CAME = (
    "type* conversationId contactId conversationProviderId message html subject attachments[] "
    "emailFrom emailTo emailCc[] emailBcc[] emailMessageId altId direction date call{}"
)
NUMBERS = {"Call": 1, "SMS": 2, "Email": 3}
"""What `type` is of a message; of the other channels it is assumed."""
CHANNELS = checks.one_of(
    "SMS", "RCS", "Email", "WhatsApp", "IG", "FB", "Custom", "Live_Chat", "TIKTOK"
)


class Talk:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount, chance: random.Random) -> None:
        self._sim = sim
        self.reset(chance)

    def reset(self, chance: random.Random) -> None:
        """As in a new location: nobody has said anything."""
        self._chance = chance
        self.conversations = Rows("Conversation", chance)
        self.messages = Rows("Message", chance)

    def as_record(self) -> Row:
        """Plain data for the admin API."""
        return {
            "conversations": list(self.conversations.rows.values()),
            "messages": list(self.messages.rows.values()),
        }

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("GET", "/conversations/search", "search-conversation", self._conversations),
            ("POST", "/conversations/", "create-conversation", self._converse),
            ("GET", "/conversations/{id}", "get-conversation", self._conversation),
            ("PUT", "/conversations/{id}", "update-conversation", self._star),
            ("DELETE", "/conversations/{id}", "delete-conversation", self._forget),
            ("GET", "/conversations/{id}/messages", "get-messages", self._messages),
            ("POST", "/conversations/messages", "send-a-new-message", self._send),
            ("POST", "/conversations/messages/inbound", "add-an-inbound-message", self._inbound),
            ("POST", "/conversations/messages/outbound", "add-an-outbound-message", self._called),
            ("GET", "/conversations/messages/export", "export-messages-by-location", self._export),
            ("GET", "/conversations/messages/{id}", "get-message", self._message),
            ("PUT", "/conversations/messages/{id}/status", "update-message-status", self._became),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-04-15"
            )

    def _where(self, request: Request) -> None:
        self._sim.own_location(request.query.get("locationId"))

    def _conversations(self, request: Request) -> Reply:
        self._where(request)
        query = request.query
        rows = sorted(
            self.conversations.rows.values(), key=lambda row: (-row["lastMessageDate"], row["id"])
        )
        for key in ("contactId", "lastMessageDirection", "lastMessageType"):
            if query.get(key):
                rows = [row for row in rows if row.get(key) == query[key]]
        if query.get("startAfterDate"):
            before = whole(query["startAfterDate"], "startAfterDate", 0, 10**15)
            rows = [row for row in rows if row["lastMessageDate"] < before]
        chosen = page(rows, {"limit": query.get("limit", "20")})
        shown = [{**self._with_contact(row), "sort": [row["lastMessageDate"]]} for row in chosen]
        return self._sim.ok({"conversations": shown, "total": len(rows)})

    def _with_contact(self, row: Row) -> Row:
        """A conversation as lists show it: with who it is."""
        contact = self._sim.state.contacts.rows.get(row["contactId"]) or {}
        names = " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
        who = {"fullName": names, "contactName": names}
        ways = {key: contact.get(key) or "" for key in ("email", "phone")}
        return {**row, **who, **ways, "type": "TYPE_PHONE"}

    def _of_contact(self, contact_id: str) -> Row:
        self._sim.state.contacts.get(contact_id)
        for row in self.conversations.rows.values():
            if row["contactId"] == contact_id:
                return row
        now = round(self._sim.clock.date().timestamp() * 1000)
        where = {"locationId": self._sim.location_id, "contactId": contact_id}
        more = {"unreadCount": 0, "starred": False, "deleted": False, "inbox": True}
        return self.conversations.add({**where, **more, "lastMessageDate": now})

    def _converse(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape("locationId* contactId*"))
        self._sim.own_location(body["locationId"])
        row, now = self._of_contact(body["contactId"]), iso(self._sim.clock.date())
        made = {"dateAdded": now, "dateUpdated": now, **_dated(row)}
        return self._sim.ok({"success": True, "conversation": made}, 201)

    def _conversation(self, request: Request) -> Reply:
        row = self._with_contact(self.conversations.get(request.params["id"]))
        # One conversation has a number for its type, those of a search have a word.
        return self._sim.ok({**row, "type": 1})

    def _star(self, request: Request) -> Reply:
        row = self.conversations.get(request.params["id"])
        body = request.json()
        require(body, *shape("locationId* unreadCount# starred? feedback"))
        row.update(body)
        self._sim.emit("ConversationUnreadUpdate", row)
        return self._sim.ok({"success": True, "conversation": _dated(row)})

    def _forget(self, request: Request) -> Reply:
        self.conversations.remove(request.params["id"])
        return self._sim.ok({"success": True})

    def _say(self, conversation: Row, body: Row, direction: str) -> Row:
        moment = self._sim.clock.date()
        # Messages of one conversation never tie, so that pages by date are exact.
        at = max(round(moment.timestamp() * 1000), conversation["lastMessageDate"] + 1)
        kind = str(body["type"])
        row = self.messages.add(
            {
                "locationId": self._sim.location_id,
                "contactId": conversation["contactId"],
                "conversationId": conversation["id"],
                "messageType": f"TYPE_{kind.upper()}",
                "direction": direction,
                "body": body.get("message") or body.get("html") or "",
                "status": "scheduled" if body.get("scheduledTimestamp") else "delivered",
                "attachments": body.get("attachments", []),
                "dateAdded": iso(datetime.fromtimestamp(at / 1000, moment.tzinfo)),
                **({"meta": {"call": body["call"]}} if body.get("call") else {}),
                **(self._as_email(body) if kind == "Email" else {}),
            }
        )
        conversation |= {
            "lastMessageDate": at,
            "lastMessageBody": row["body"],
            "lastMessageType": row["messageType"],
            "lastMessageDirection": direction,
        }
        if direction == "inbound":
            conversation["unreadCount"] += 1
        event = "InboundMessage" if direction == "inbound" else "OutboundMessage"
        told = {key: value for key, value in row.items() if key != "id"}
        self._sim.emit(event, {**told, "messageId": row["id"], "messageType": kind})
        return row

    def _as_email(self, body: Row) -> Row:
        """What a message has besides if it is an e-mail; that has an ID of its own."""
        number = text_id(self._chance)
        return {"subject": body.get("subject") or "", "meta": {"email": {"messageIds": [number]}}}

    def _send(self, request: Request) -> Reply:
        body = request.json()
        require(body, *shape(SENT))
        if wrong := CHANNELS(body["type"]):
            raise Refused(422, [f"type {wrong}"])
        if not any(body.get(key) for key in ("message", "html", "attachments", "templateId")):
            raise Refused(
                422, ["There is no message or attachments for this message. Skip sending."]
            )
        conversation = self._of_contact(body["contactId"])
        row = self._say(conversation, body, "outbound")
        made = {
            "conversationId": conversation["id"],
            "messageId": row["id"],
            # Of a message just sent the specification knows no "scheduled".
            "status": "pending" if row["status"] == "scheduled" else row["status"],
        }
        if "email" in row.get("meta", {}):
            made["emailMessageId"] = row["meta"]["email"]["messageIds"][0]
        return self._sim.ok(made)

    def _inbound(self, request: Request) -> Reply:
        return self._written(request, "inbound")

    def _called(self, request: Request) -> Reply:
        return self._written(request, "outbound")

    def _written(self, request: Request, direction: str) -> Reply:
        body = request.json()
        require(body, *shape(CAME))
        if not (body.get("conversationId") or body.get("contactId")):
            raise Refused(422, ["conversationId should not be empty"])
        if body.get("conversationId"):
            conversation = self.conversations.get(body["conversationId"])
        else:
            conversation = self._of_contact(body["contactId"])
        row = self._say(conversation, body, str(body.get("direction") or direction))
        where = {"conversationId": conversation["id"], "contactId": conversation["contactId"]}
        return self._sim.ok(
            {"success": True, "messageId": row["id"], "message": row["body"], **where}
        )

    def _said_in(self, conversation_id: str) -> list[Row]:
        found = [
            row for row in self.messages.rows.values() if row["conversationId"] == conversation_id
        ]
        return found[::-1]

    def _messages(self, request: Request) -> Reply:
        query = request.query
        rows = self._said_in(self.conversations.get(request.params["id"])["id"])
        if query.get("type"):
            rows = [row for row in rows if row["messageType"] in query["type"].split(",")]
        if query.get("lastMessageId"):
            rows = rows[after(rows, query["lastMessageId"], "lastMessageId") :]
        chosen = page(rows, {"limit": query.get("limit", "20")})
        last = chosen[-1]["id"] if chosen else None
        more = len(rows) > len(chosen)
        inner = {
            "lastMessageId": last,
            "nextPage": more,
            "messages": [_shown(row) for row in chosen],
        }
        return self._sim.ok({"messages": inner})

    def _message(self, request: Request) -> Reply:
        return self._sim.ok(_shown(self.messages.get(request.params["id"])))

    def _became(self, request: Request) -> Reply:
        row = self.messages.get(request.params["id"])
        body = request.json()
        require(body, *shape("status* error{} emailMessageId recipients[]"))
        row["status"] = body["status"]
        where = {"conversationId": row["conversationId"], "messageId": row["id"]}
        return self._sim.ok({**where, "status": row["status"]})

    def _export(self, request: Request) -> Reply:
        self._where(request)
        query = request.query
        rows = sorted(self.messages.rows.values(), key=lambda row: str(row["dateAdded"]))
        if query.get("sortOrder") != "asc":
            rows.reverse()
        for key in ("contactId", "conversationId"):
            if query.get(key):
                rows = [row for row in rows if row[key] == query[key]]
        if query.get("channel"):
            kind = f"TYPE_{query['channel'].upper()}"
            rows = [row for row in rows if row["messageType"] == kind]
        if query.get("startDate"):
            rows = [row for row in rows if _at(row["dateAdded"]) >= _at(query["startDate"])]
        if query.get("endDate"):
            rows = [row for row in rows if _at(row["dateAdded"]) <= _at(query["endDate"])]
        start = whole(query.get("cursor") or "0", "cursor", 0, 10**9)
        chosen = page(rows[start:], {"limit": query.get("limit", "10")}, most=500)
        end = start + len(chosen)
        cursor = str(end) if end < len(rows) else None
        shown = [_shown(row) for row in chosen]
        more = {"nextCursor": cursor} if cursor else {}
        return self._sim.ok({"messages": shown, **more, "total": len(rows)})


def _dated(row: Row) -> Row:
    """A conversation as changes answer it: the date as text; in a search's sort it is a number."""
    return {**row, "lastMessageDate": str(row["lastMessageDate"])}


def _shown(row: Row) -> Row:
    """A message as it is read: with its channel's number and the type of its content."""
    kind = str(row["messageType"]).removeprefix("TYPE_")
    number = {name.upper(): value for name, value in NUMBERS.items()}.get(kind, 0)
    content = "text/html" if kind == "EMAIL" else "text/plain"
    return {**row, "type": number, "contentType": content}


def _at(date: str) -> datetime:
    """A date of a row or a query; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(date)
    except ValueError as error:
        raise Refused(422, [f"{date} must be a valid ISO 8601 date string"]) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
