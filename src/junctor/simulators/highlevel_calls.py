"""Messages of a simulated HighLevel location beyond their text: e-mails, files, what is sent later,
recorded calls and what was said in them.

Paths, bodies and answers follow the vendor's specification (GoHighLevel/highlevel-api-docs, CC0,
``conversations``). Every call that was answered or reached a voicemail is recorded and transcribed,
always alike. Assumed: a message that is not scheduled can't be taken back (400).
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from junctor.simulators.highlevel_contacts import require
from junctor.simulators.highlevel_rows import shape
from junctor.simulators.routes import Refused, Route
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.highlevel_account import HighLevelAccount

__all__ = ["Calls"]

Row = dict[str, Any]
SAID = "Hello, this is the simulated caller; please call me back."


class Calls:
    """Those operations, for one simulator."""

    def __init__(self, sim: HighLevelAccount) -> None:
        self._sim = sim

    def routes(self) -> Iterator[Route]:
        """All of them, with the version of the older dialect."""
        message = "/conversations/messages/{messageId}"
        transcription = "/conversations/locations/{locationId}/messages/{messageId}/transcription"
        table: tuple[tuple[str, str, str, Callable[[Request], Reply]], ...] = (
            ("GET", "/conversations/messages/email/{id}", "get-email-by-id", self._email),
            ("PUT", f"{message}/attachments", "update-message-attachments", self._attach),
            ("DELETE", f"{message}/schedule", "cancel-scheduled-message", self._take_back),
            (
                "DELETE",
                "/conversations/messages/email/{emailMessageId}/schedule",
                "cancel-scheduled-email-message",
                self._take_back_email,
            ),
            ("GET", transcription, "get-message-transcription", self._said),
            ("GET", f"{transcription}/download", "download-message-transcription", self._as_text),
            (
                "GET",
                f"{message}/locations/{{locationId}}/recording",
                "get-message-recording",
                self._recording,
            ),
            (
                "POST",
                "/conversations/providers/live-chat/typing",
                "live-chat-agent-typing",
                self._typing,
            ),
        )
        for method, path, operation, handler in table:
            yield Route(
                method=method, path=path, operation=operation, handler=handler, note="2021-04-15"
            )

    # E-mails.

    def _mail(self, email_id: str) -> Row:
        for row in self._sim.talk.messages.rows.values():
            if email_id in row.get("meta", {}).get("email", {}).get("messageIds", ()):
                return row
        raise Refused(404, f"Email message not found: {email_id}")

    def _email(self, request: Request) -> Reply:
        row = self._mail(request.params["id"])
        kept = ("locationId", "contactId", "conversationId", "dateAdded", "direction", "status")
        shown = {key: row[key] for key in (*kept, "subject", "body", "attachments")}
        contact = self._sim.state.contacts.rows.get(row["contactId"], {})
        ends = [self._sim.state.location["email"], contact.get("email", "")]
        sender, receiver = ends if row["direction"] == "outbound" else ends[::-1]
        more = {"contentType": "text/html", "from": sender, "to": [receiver], "cc": [], "bcc": []}
        return self._sim.ok({"id": request.params["id"], "threadId": row["id"], **shown, **more})

    # Files, and what is sent later.

    def _attach(self, request: Request) -> Reply:
        row = self._sim.talk.messages.get(request.params["messageId"])
        body = request.json()
        require(body, *shape("attachments[]*"))
        row["attachments"] = [*row["attachments"], *body["attachments"]]
        return self._sim.ok({"conversationId": row["conversationId"], "messageId": row["id"]})

    def _take_back(self, request: Request) -> Reply:
        return self._taken_back(self._sim.talk.messages.get(request.params["messageId"]))

    def _take_back_email(self, request: Request) -> Reply:
        return self._taken_back(self._mail(request.params["emailMessageId"]))

    def _taken_back(self, row: Row) -> Reply:
        if row["status"] != "scheduled":
            raise Refused(400, "The message is not scheduled, so it can't be cancelled.")
        self._sim.talk.messages.remove(row["id"])
        return self._sim.ok({"status": 200, "message": "The scheduled message was cancelled."})

    # Calls.

    def _call(self, request: Request) -> Row:
        self._sim.own_location(request.params["locationId"])
        row = self._sim.talk.messages.get(request.params["messageId"])
        status = row.get("meta", {}).get("call", {}).get("status", "completed")
        if row["messageType"] != "TYPE_CALL" or status not in {
            "completed",
            "answered",
            "voicemail",
        }:
            raise Refused(404, f"Message {row['id']} has no recording")
        return row

    def _said(self, request: Request) -> Reply:
        self._call(request)
        # One sentence is all there is; the specification shows no list of several.
        row = {"mediaChannel": 1, "sentenceIndex": 0, "startTime": 0, "endTime": 3500}
        return self._sim.ok({**row, "transcript": SAID, "confidence": 0.97})

    def _as_text(self, request: Request) -> Reply:
        self._call(request)
        name = (("content-disposition", 'attachment; filename="transcription.txt"'),)
        return Reply(200, SAID.encode(), name, content_type="text/plain")

    def _recording(self, request: Request) -> Reply:
        self._call(request)
        name = (("content-disposition", "attachment; filename=audio.wav"),)
        return Reply(200, _silence(), name, content_type="audio/x-wav")

    def _typing(self, request: Request) -> Reply:
        body = request.json()
        # The specification calls isTyping a text, and shows a Boolean.
        require(body, *shape("locationId* isTyping{}* visitorId* conversationId*"))
        self._sim.own_location(body["locationId"])
        self._sim.talk.conversations.get(body["conversationId"])
        return self._sim.ok({"success": True}, 201)


def _silence() -> bytes:
    """A tenth of a second of a telephone line on which nobody speaks, as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 800)
    return out.getvalue()
