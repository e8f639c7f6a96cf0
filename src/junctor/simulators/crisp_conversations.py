"""Conversations and messages of a simulated Crisp."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from junctor.simulators import checks
from junctor.simulators.admin import AdminRefused, body_as
from junctor.simulators.crisp_account import CrispAccount
from junctor.simulators.crisp_content import META, check_content, check_message, require
from junctor.simulators.crisp_state import WebsiteState, merged, millis
from junctor.simulators.kit import Refused, Route
from junctor.simulators.people import uuid_text
from junctor.simulators.wire import Reply, Request

__all__ = ["BATCH", "ConversationRoutes", "page_of"]

BATCH = 20
"""Messages in one answer. Assumed."""
C = "/website/{website_id}/conversation/{session_id}"
PLUGIN = "user plugin website"
"""Who may: all tiers (that a website token may is assumed)."""

_META_EVENTS = {
    "nickname": "session:set_nickname",
    "email": "session:set_email",
    "phone": "session:set_phone",
    "address": "session:set_address",
    "subject": "session:set_subject",
    "avatar": "session:set_avatar",
    "segments": "session:set_segments",
    "data": "session:set_data",
}


_TOLD = frozenset(
    {
        *("fingerprint", "type", "from", "origin", "content", "timestamp", "user", "stamped"),
        *("automated", "mentions"),
    }
)
"""What an event says of a message."""


class _VisitorBody(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    session_id: str | None = None
    nickname: str = ""
    email: str = ""


def page_of(request: Request, rows: list[Any], *, size: int | None = None) -> list[Any]:
    """The page of a request: its number from the path, its size (20 to 50) from the query."""
    number = request.params.get("page_number", "1")
    if not number.isdecimal() or int(number) < 1:
        raise Refused(400, "invalid_data", said=f"page_number: {number!r} is no number from 1")
    if size is None:
        text = request.query.get("per_page", "20")
        if not text.isdecimal() or not 20 <= int(text) <= 50:
            raise Refused(400, "invalid_data", said=f"per_page: {text!r} is not from 20 to 50")
        size = int(text)
    start = (int(number) - 1) * size
    return rows[start : start + size]


def instant(request: Request, name: str) -> int | None:
    """A date of the query, as milliseconds."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, "invalid_data", said=f"{name}: {text!r} is no ISO 8601 date") from error
    if date.tzinfo is None:
        raise Refused(400, "invalid_data", said=f"{name}: {text!r} has no time zone")
    return millis(date)


class ConversationRoutes(CrispAccount):
    """Conversations and messages."""

    def conversation_routes(self) -> Iterable[Route]:
        """Their operations."""
        listing = "/website/{website_id}/conversations"
        table = (
            ("GET", listing, "list_conversations", self._list),
            ("GET", listing + "/{page_number}", "list_conversations", self._list),
            ("POST", "/website/{website_id}/conversation", "create_conversation", self._create),
            ("HEAD", C, "check_conversation", self._get),
            ("GET", C, "get_conversation", self._get),
            ("DELETE", C, "remove_conversation", self._remove),
            ("POST", f"{C}/initiate", "initiate_conversation", self._initiate),
            ("GET", f"{C}/messages", "list_messages", self._messages),
            ("POST", f"{C}/message", "send_message", self._send),
            ("GET", f"{C}/message/{{fingerprint}}", "get_message", self._get_message),
            ("PATCH", f"{C}/message/{{fingerprint}}", "edit_message", self._edit_message),
            ("DELETE", f"{C}/message/{{fingerprint}}", "remove_message", self._remove_message),
            ("PATCH", f"{C}/read", "mark_read", self._mark_read),
            ("PATCH", f"{C}/unread", "mark_unread", self._mark_unread),
            ("GET", f"{C}/meta", "get_meta", self._get_meta),
            ("PATCH", f"{C}/meta", "update_meta", self._update_meta),
            ("GET", f"{C}/state", "get_state", self._get_state),
            ("PATCH", f"{C}/state", "change_state", self._change_state),
            ("GET", f"{C}/routing", "get_routing", self._get_routing),
            ("PATCH", f"{C}/routing", "assign_routing", self._assign),
            ("GET", f"{C}/block", "get_block", self._get_block),
            ("PATCH", f"{C}/block", "change_block", self._block),
            ("POST", f"{C}/reminder", "schedule_reminder", self._remind),
        )
        for method, path, operation, handler in table:
            yield Route(method=method, path=path, operation=operation, handler=handler, note=PLUGIN)

    def admin_routes(self) -> Iterable[Route]:
        """Also: a visitor writes."""
        yield from super().admin_routes()
        yield Route(
            method="POST",
            path="/_sim/messages",
            operation="messages",
            handler=self._visitor_writes,
        )

    def _row(self, request: Request) -> dict[str, Any]:
        row = self.site(request).conversations.get(request.params["session_id"])
        if row is None:
            raise Refused(404, "invalid_session")
        return row

    # Conversations.

    def _list(self, request: Request) -> Reply:
        site, query = self.site(request), request.query
        rows = [row for row in site.conversations.values() if self._matches(site, row, request)]
        order = "created_at" if query.get("order_date_created") == "1" else "updated_at"
        rows.sort(key=lambda row: row[order], reverse=True)
        return self.ok("listed", page_of(request, rows))

    def _matches(self, site: WebsiteState, row: dict[str, Any], request: Request) -> bool:
        query = request.query
        for name in ("include_empty", "filter_unread", "filter_resolved", "filter_mention"):
            if query.get(name, "0") not in {"0", "1"}:
                raise Refused(400, "invalid_data", said=f"{name}: {query[name]!r} is not 0 or 1")
        if not site.messages[row["session_id"]] and query.get("include_empty") != "1":
            return False
        tests = (
            ("filter_unread", row["unread"]["operator"] > 0),
            ("filter_resolved", row["state"] == "resolved"),
            ("filter_not_resolved", row["state"] != "resolved"),
            ("filter_mention", bool(row["mentions"])),
            ("filter_unassigned", not row["assigned"]),
        )
        if any(query.get(name) == "1" and not holds for name, holds in tests):
            return False
        if query.get("filter_assigned", row["assigned"].get("user_id")) != row["assigned"].get(
            "user_id"
        ) or query.get("filter_inbox_id", row.get("inbox_id")) != row.get("inbox_id"):
            return False
        since, until = (instant(request, f"filter_date_{end}") for end in ("start", "end"))
        if (since is not None and row["updated_at"] < since) or (
            until is not None and row["updated_at"] > until
        ):
            return False
        return _found(row, query)

    def _create(self, request: Request) -> Reply:
        session = f"session_{uuid_text(self.chance)}"
        self.site(request).conversation(session, self.now)
        return self.ok("added", {"session_id": session}, 201)

    def _get(self, request: Request) -> Reply:
        return self.ok("resolved", self._row(request))

    def _remove(self, request: Request) -> Reply:
        site, row = self.site(request), self._row(request)
        del site.conversations[row["session_id"]]
        del site.messages[row["session_id"]]
        self._tell(site, row, "session:removed")
        return self.ok("deleted")

    def _initiate(self, request: Request) -> Reply:
        self._tell(self.site(request), self._row(request), "session:request:initiated")
        return self.ok("initiated")

    def _tell(self, site: WebsiteState, row: dict[str, Any], event: str, **data: Any) -> None:
        about = {"session_id": row["session_id"], "inbox_id": row.get("inbox_id")}
        self.emit(site, event, {**about, **data})

    # Messages.

    def _messages(self, request: Request) -> Reply:
        rows = self.site(request).messages[self._row(request)["session_id"]]
        query = request.query
        for name in ("timestamp_before", "timestamp_after"):
            text = query.get(name)
            if text is not None and not text.isdecimal():
                raise Refused(400, "invalid_data", said=f"{name}: {text!r} is no whole number")
        before, after = query.get("timestamp_before"), query.get("timestamp_after")
        if before is not None:
            rows = [row for row in rows if row["timestamp"] < int(before)]
        if after is not None:
            newer = [row for row in rows if row["timestamp"] > int(after)]
            return self.ok("listed", newer[:BATCH])
        return self.ok("listed", rows[-BATCH:])

    def _send(self, request: Request) -> Reply:
        body = request.json()
        check_message(body)
        message = self.write(self.site(request), self._row(request), body)
        return self.ok("dispatched", {"fingerprint": message["fingerprint"]}, 202)

    def write(
        self, site: WebsiteState, row: dict[str, Any], body: dict[str, Any]
    ) -> dict[str, Any]:
        """Adds a message and tells of it: ``message:send`` is the visitor's, ``message:received``
        the operator's.
        """
        messages = site.messages[row["session_id"]]
        now = max(self.now, messages[-1]["timestamp"] + 1 if messages else 0)
        message = {
            "session_id": row["session_id"],
            "website_id": site.id,
            "fingerprint": self.state.number(),
            "preview": [],
            "mentions": [],
            "read": "",
            "delivered": "",
            "edited": False,
            "translated": False,
            "automated": False,
            "stamped": True,
            "timestamp": now,
            "user": {"type": "user" if body["from"] == "user" else "website"},
            **{key: value for key, value in body.items() if key != "stealth"},
        }
        first = not messages
        messages.append(message)
        messages.sort(key=lambda each: each["timestamp"])
        side = "operator" if body["from"] == "user" else "visitor"
        row["unread"][side] += 1
        row["mentions"] = sorted({*row["mentions"], *message["mentions"]})
        text = body["content"] if isinstance(body["content"], str) else f"[{body['type']}]"
        row |= {"last_message": text, "updated_at": now}
        if first:
            self._tell(site, row, "session:request:initiated")
        if not body.get("stealth"):
            event = "message:send" if body["from"] == "user" else "message:received"
            told = {key: value for key, value in message.items() if key in _TOLD}
            self._tell(site, row, event, **told)
        return message

    def _message(self, request: Request) -> dict[str, Any]:
        rows = self.site(request).messages[self._row(request)["session_id"]]
        wanted = request.params["fingerprint"]
        for row in rows:
            if str(row["fingerprint"]) == wanted:
                return row
        raise Refused(404, "message_not_found")

    def _get_message(self, request: Request) -> Reply:
        return self.ok("resolved", self._message(request))

    def _edit_message(self, request: Request) -> Reply:
        message, body = self._message(request), request.json()
        require(body, {"content": lambda _value: None}, ("content",))
        check_content(message["type"], body["content"])
        message |= {"content": body["content"], "edited": True}
        about = {"fingerprint": message["fingerprint"], "content": message["content"]}
        self._tell(self.site(request), self._row(request), "message:updated", **about)
        return self.ok("updated")

    def _remove_message(self, request: Request) -> Reply:
        message = self._message(request)
        self.site(request).messages[message["session_id"]].remove(message)
        about = {"fingerprint": message["fingerprint"]}
        self._tell(self.site(request), self._row(request), "message:removed", **about)
        return self.ok("deleted")

    def _mark_read(self, request: Request) -> Reply:
        row, body = self._row(request), request.json()
        shape = {
            "from": checks.one_of("user", "operator"),
            "origin": checks.text,
            "fingerprints": lambda value: None if isinstance(value, list) else "must be an array",
        }
        require(body, shape, ("from",))
        wanted = body.get("fingerprints")
        for message in self.site(request).messages[row["session_id"]]:
            of_side = message["from"] == body["from"]
            if of_side and (not wanted or message["fingerprint"] in wanted):
                message["read"] = body.get("origin", "chat")
        row["unread"]["operator" if body["from"] == "user" else "visitor"] = 0
        return self.ok("updated", status=202)

    def _mark_unread(self, request: Request) -> Reply:
        row = self._row(request)
        row["unread"]["operator"] = max(1, row["unread"]["operator"])
        return self.ok("updated", status=202)

    # What is known of a conversation.

    def _get_meta(self, request: Request) -> Reply:
        return self.ok("resolved", self._row(request)["meta"])

    def _update_meta(self, request: Request) -> Reply:
        site, row, body = self.site(request), self._row(request), request.json()
        require(body, META)
        row["meta"] = merged(row["meta"], body)
        row["updated_at"] = self.now
        for key, value in body.items():
            if key in _META_EVENTS:
                self._tell(site, row, _META_EVENTS[key], **{key: value})
        return self.ok("updated")

    def _get_state(self, request: Request) -> Reply:
        return self.ok("resolved", {"state": self._row(request)["state"]})

    def _change_state(self, request: Request) -> Reply:
        row, body = self._row(request), request.json()
        require(body, {"state": checks.one_of("pending", "unresolved", "resolved")}, ("state",))
        row |= {"state": body["state"], "updated_at": self.now}
        self._tell(self.site(request), row, "session:set_state", state=row["state"])
        return self.ok("updated")

    def _get_routing(self, request: Request) -> Reply:
        return self.ok("resolved", {"assigned": self._row(request)["assigned"] or None})

    def _assign(self, request: Request) -> Reply:
        site, row, body = self.site(request), self._row(request), request.json()
        require(
            body,
            {"assigned": checks.nullable(checks.mapping), "silent": checks.boolean},
            ("assigned",),
        )
        who = (body["assigned"] or {}).get("user_id")
        if who is not None and who not in [each["details"]["user_id"] for each in site.operators]:
            raise Refused(404, "operator_not_found")
        before = row["assigned"].get("user_id")
        row |= {"assigned": {"user_id": who} if who else {}, "updated_at": self.now}
        self._tell(site, row, "session:set_routing", routing_id=who, previous_routing_id=before)
        return self.ok("updated")

    def _get_block(self, request: Request) -> Reply:
        return self.ok("resolved", {"blocked": self._row(request)["is_blocked"]})

    def _block(self, request: Request) -> Reply:
        row, body = self._row(request), request.json()
        require(body, {"blocked": checks.boolean}, ("blocked",))
        row["is_blocked"] = body["blocked"]
        self._tell(self.site(request), row, "session:set_block", is_blocked=body["blocked"])
        return self.ok("updated")

    def _remind(self, request: Request) -> Reply:
        row, body = self._row(request), request.json()
        require(body, {"date": checks.iso_date, "note": checks.filled}, ("date", "note"))
        self.site(request).reminders.append({"session_id": row["session_id"], **body})
        return self.ok("scheduled", status=201)

    def _visitor_writes(self, request: Request) -> Reply:
        body = body_as(request, _VisitorBody)
        site = self.state.websites[self.website_id]
        session = body.session_id or f"session_{uuid_text(self.chance)}"
        row = site.conversations.get(session)
        if row is None:
            if body.session_id is not None:
                raise AdminRefused(404, f"session_id: there is no conversation {session!r}")
            row = site.conversation(session, self.now)
        row["meta"] |= {
            key: value for key in ("nickname", "email") if (value := getattr(body, key))
        }
        content = {"type": "text", "from": "user", "origin": "chat", "content": body.text}
        message = self.write(site, row, content)
        return Reply.json({"session_id": session, "fingerprint": message["fingerprint"]}, 202)


def _found(row: dict[str, Any], query: dict[str, str]) -> bool:
    wanted, kind = query.get("search_query", ""), query.get("search_type", "text")
    if not wanted:
        return True
    if kind == "segment":
        return wanted in row["meta"]["segments"]
    if kind == "filter":
        try:
            rows = json.loads(wanted)
            tests = [_holds(row, each) for each in rows]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refused(
                400, "invalid_data", said="search_query is no list of conditions"
            ) from error
        return any(tests) if query.get("search_operator") == "or" else all(tests)
    if kind != "text":
        raise Refused(400, "invalid_data", said=f"search_type: {kind!r} is no type of search")
    meta = row["meta"]
    shown = (meta["nickname"], meta["email"], row["last_message"])
    return any(wanted.lower() in str(text or "").lower() for text in shown)


def _holds(row: dict[str, Any], condition: dict[str, Any]) -> bool:
    value: Any = row
    for key in str(condition["criterion"]).split("."):
        value = value.get(key) if isinstance(value, dict) else None
    values = value if isinstance(value, list) else [value]
    wanted, operator = condition["query"], condition["operator"]
    held = any(str(each) in wanted for each in values)
    return not held if operator == "neq" else held
