"""The Compatibility API of a simulated SignalWire project.

Codes of refusals are those of the vendor's list. Assumed: that an update takes no other fields than
the documented ones and ignores the rest, and that an unknown project is code 20404.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from junctor.simulators import signalwire_calls as life
from junctor.simulators.people import stranger
from junctor.simulators.routes import Handler, Refused
from junctor.simulators.signalwire_form import DIGITS, Form, check_url, choice, party, whole, within
from junctor.simulators.signalwire_state import (
    account_row,
    application_row,
    between,
    fax_row,
    matching,
    recording_row,
    shown_date,
)
from junctor.simulators.wire import Reply, Request

if TYPE_CHECKING:
    from junctor.simulators.signalwire import SignalWireSimulator

__all__ = ["Laml"]

Row = dict[str, Any]
A = "/Accounts/{AccountSid}"
_GOING_ON = frozenset({"queued", "ringing", "in-progress"})
_QUEUED = frozenset({"queued", "initiated"})
_EVENTS = ("initiated", "ringing", "answered", "completed", "ringing_forwarded", "ringing_queued")
_PARTS = (
    "Applications", "AvailablePhoneNumbers", "Calls", "Conferences", "IncomingPhoneNumbers",
    "Messages", "Queues", "Recordings", "Transcriptions",
)  # fmt: skip


class Laml:
    """Handlers of one simulator."""

    def __init__(self, sim: SignalWireSimulator) -> None:
        self._sim = sim

    def table(self) -> Iterator[tuple[str, str, str, Handler]]:
        """Method, path below the version, operation and handler."""
        rows: tuple[tuple[str, str, str, Handler], ...] = (
            ("GET", "/Accounts", "list_accounts", self._list_accounts),
            ("GET", "/Accounts/{Sid}", "get_account", self._get_account),
            ("GET", f"{A}/Applications", "list_applications", self._list_applications),
            ("POST", f"{A}/Applications", "create_application", self._create_application),
            ("GET", f"{A}/Calls", "list_all_calls", self._list_calls),
            ("POST", f"{A}/Calls", "create_a_call", self._create_call),
            ("GET", f"{A}/Calls/{{Sid}}", "retrieve_a_call", self._get("calls")),
            ("POST", f"{A}/Calls/{{Sid}}", "update_a_call", self._update_call),
            ("DELETE", f"{A}/Calls/{{Sid}}", "delete_a_call", self._delete("calls", _GOING_ON)),
            ("POST", f"{A}/Calls/{{Sid}}/Recordings", "create_recording", self._record),
            ("GET", f"{A}/Messages", "list_messages", self._list_messages),
            ("POST", f"{A}/Messages", "create_message", self._create_message),
            ("GET", f"{A}/Messages/{{Sid}}", "retrieve_message", self._get("messages")),
            ("POST", f"{A}/Messages/{{Sid}}", "update_message", self._update_message),
            (
                "DELETE",
                f"{A}/Messages/{{Sid}}",
                "delete_message",
                self._delete("messages", _QUEUED),
            ),
            ("GET", f"{A}/Messages/{{Sid}}/Media", "list_media", self._list_media),
            ("GET", f"{A}/Recordings", "list_recordings", self._list_recordings),
            ("GET", f"{A}/Recordings/{{Sid}}", "retrieve_recording", self._get("recordings")),
            (
                "DELETE",
                f"{A}/Recordings/{{Sid}}",
                "delete_recording",
                self._delete("recordings", frozenset()),
            ),
            ("GET", f"{A}/Transcriptions", "list_transcriptions", self._list_transcriptions),
            ("GET", f"{A}/Faxes", "list_all_faxes", self._list_faxes),
            ("POST", f"{A}/Faxes", "send_fax", self._send_fax),
            ("GET", f"{A}/Faxes/{{Sid}}", "retrieve_fax", self._get("faxes")),
            ("GET", f"{A}/Faxes/{{Sid}}/Media", "list_all_fax_media", self._list_fax_media),
            ("GET", f"{A}/Faxes/{{Sid}}/Media/{{Media}}", "retrieve_medias", self._fax_media),
            (
                "GET",
                f"{A}/AvailablePhoneNumbers/{{Country}}/Local",
                "search_local_available_phone_numbers",
                self._available,
            ),
            (
                "GET",
                f"{A}/AvailablePhoneNumbers/{{Country}}/TollFree",
                "search_toll_free_available_phone_numbers",
                self._available,
            ),
        )
        for method, path, operation, handler in rows:
            yield method, path, operation, self._in_project(handler)

    def _in_project(self, handler: Handler) -> Handler:
        def checked(request: Request) -> Reply:
            request.params = {
                name: value.removesuffix(".json") for name, value in request.params.items()
            }
            own = request.params.get("AccountSid", self._sim.project)
            if own != self._sim.project:
                raise Refused(404, f"The project {own} was not found", code=20404)
            return handler(request)

        return checked

    # Accounts, applications, numbers on sale.

    def _account(self, request: Request) -> Row:
        keys = self._sim.keys
        row = account_row(
            self._sim.project, keys["signing_key"], "redacted", self._sim.clock.date()
        )
        uri = f"{_base(request)}/Accounts/{self._sim.project}"
        unknown = (
            "addresses", "authorized_connect_apps", "connect_apps", "keys", "notifications",
            "outgoing_caller_ids", "sandbox", "sip", "short_codes", "usage",
        )  # fmt: skip
        parts = {_snake(part): f"{uri}/{part}" for part in _PARTS}
        return {**row, "uri": uri, "subresource_uris": {**dict.fromkeys(unknown), **parts}}

    def _list_accounts(self, request: Request) -> Reply:
        return self._page(request, "accounts", [self._account(request)])

    def _get_account(self, request: Request) -> Reply:
        if request.params["Sid"] != self._sim.project:
            raise Refused(404, "The project was not found", code=20404)
        return Reply.json(self._account(request))

    def _list_applications(self, request: Request) -> Reply:
        name = request.query.get("FriendlyName")
        rows = self._sim.state.applications.values()
        found = [row for row in rows if not name or row["friendly_name"] == name]
        return self._page(request, "applications", found, "Applications")

    def _create_application(self, request: Request) -> Reply:
        form = Form(request)
        if not form.get("FriendlyName"):
            raise Refused(422, "FriendlyName can't be blank", code=10000)
        for name, value in form.fields.items():
            if name.endswith("Url"):
                check_url(value, name)
        sim = self._sim
        row = application_row(sim.chance, sim.clock.date(), sim.project, form.fields)
        sim.state.applications[row["sid"]] = row
        return Reply.json(self._shown(request, row, "Applications"), 201)

    def _available(self, request: Request) -> Reply:
        query = request.query
        rows = []
        for _ in range(20):
            number = stranger(self._sim.chance, ())
            area = query.get("AreaCode", number[2:5])
            number = f"+1{area}{number[5:]}"
            rows.append(
                {
                    "friendly_name": f"{number[2:5]}-{number[5:8]}-{number[8:]}",
                    "phone_number": number,
                    "lata": None,
                    "locality": None,
                    "rate_center": query.get("InLocality", "SEATTLE"),
                    "latitude": None,
                    "longitude": None,
                    "region": query.get("InRegion", "WA"),
                    "postal_code": None,
                    "iso_country": request.params["Country"],
                    "capabilities": {"voice": True, "SMS": True, "MMS": True},
                    "beta": False,
                }
            )
        uri = request.target.replace(".json", "", 1)
        return Reply.json({"uri": uri, "available_phone_numbers": rows})

    # Calls.

    def _list_calls(self, request: Request) -> Reply:
        plain = {
            "From": "from",
            "To": "to",
            "ParentCallSid": "parent_call_sid",
            "Status": "status",
        }
        dates = {"StartTime": "start_time", "EndTime": "end_time"}
        rows = matching(self._sim.state.calls.values(), request.query, plain, dates)
        return self._page(request, "calls", rows[::-1], "Calls")

    def _create_call(self, request: Request) -> Reply:
        form = Form(request)
        given = {**form.fields}
        given["From"] = party(form.get("From"), "From", 21210)
        given["To"] = party(form.get("To"), "To", 21211)
        if not given["From"].startswith("sip:") and not self._sim.state.number_of(given["From"]):
            raise Refused(422, "From must be a number in your project.", code=21210)
        if not form.get("Url") and not form.get("ApplicationSid"):
            raise Refused(422, "Url or ApplicationSid is required", code=21205)
        if form.get("ApplicationSid") and (
            form.get("ApplicationSid") not in self._sim.state.applications
        ):
            raise Refused(422, "ApplicationSid is not an application of yours", code=21218)
        for name in ("Url", "FallbackUrl", "StatusCallback", "RecordingStatusCallback"):
            check_url(form.get(name), name)
        choice(form, "Method", "GET", "POST")
        choice(form, "MachineDetection", "Enable", "DetectMessageEnd", "none")
        choice(form, "RecordingChannels", "mono", "dual")
        choice(form, "Trim", "trim-silence", "do-not-trim")
        choice(form, "Record", "true", "false")
        within(form, "Timeout", 1, 600)
        within(form, "MachineDetectionTimeout", 1, 120)
        if form.get("SendDigits") and not DIGITS.fullmatch(form.get("SendDigits")):
            raise Refused(422, "SendDigits is not valid", code=10000)
        events = tuple(form.every("StatusCallbackEvent")) or ("completed",)
        for event in events:
            if event not in _EVENTS:
                raise Refused(422, f"StatusCallbackEvent {event} is not valid", code=10000)
        call = life.call_out(self._sim, given, events)
        return Reply.json(self._shown(request, call, "Calls"))

    def _update_call(self, request: Request) -> Reply:
        call = self._row(request, "calls")
        form = Form(request)
        choice(form, "Status", "canceled", "completed")
        for name in ("Url", "FallbackUrl", "StatusCallback"):
            check_url(form.get(name), name)
        status = form.get("Status")
        if call["status"] not in _GOING_ON:
            raise Refused(422, "Call is not in-progress. Cannot redirect.", code=21220)
        if status == "canceled" and call["status"] == "in-progress":
            raise Refused(422, "A call in progress can't be canceled", code=10000)
        if form.get("Url") and call["status"] != "in-progress" and not status:
            raise Refused(422, "Call is not in-progress. Cannot redirect.", code=21220)
        if status:
            life.move(self._sim, call, status)
        return Reply.json(self._shown(request, call, "Calls"))

    def _record(self, request: Request) -> Reply:
        call = self._row(request, "calls")
        if call["status"] != "in-progress":
            raise Refused(422, "Call is not in-progress", code=21220)
        form = Form(request)
        row = recording_row(
            self._sim.chance, self._sim.clock.date(), self._sim.project, call["sid"], seconds=0
        )
        row |= {"status": "in-progress", "end_time": None, "source": "StartCallRecordingApi"}
        row["channels"] = "2" if form.get("RecordingChannels") == "dual" else "1"
        self._sim.state.recordings[row["sid"]] = row
        return Reply.json(self._shown(request, row, "Recordings"))

    # Messages.

    def _list_messages(self, request: Request) -> Reply:
        plain = {"From": "from", "To": "to", "Status": "status"}
        rows = matching(
            self._sim.state.messages.values(), request.query, plain, {"DateSent": "date_sent"}
        )
        return self._page(request, "messages", rows[::-1], "Messages")

    def _create_message(self, request: Request) -> Reply:
        form = Form(request)
        given = {**form.fields}
        media = form.every("MediaUrl")
        if not form.get("To"):
            raise Refused(422, "A To number is required", code=21604)
        given["To"] = party(form.get("To"), "To", 21211)
        group = form.get("MessagingServiceSid")
        if group and group not in self._sim.state.number_groups:
            raise Refused(422, "MessagingServiceSid is no number group of yours", code=21701)
        if not group:
            if not form.get("From"):
                raise Refused(422, "From or MessagingServiceSid is required", code=21705)
            given["From"] = party(form.get("From"), "From", 21212)
            if self._sim.state.number_of(given["From"]) is None:
                raise Refused(422, "From must be a number in your project.", code=21210)
        if not form.get("Body") and not media:
            raise Refused(422, "Body or MediaUrl is required", code=21602)
        if len(form.get("Body")) > 1600:
            raise Refused(422, "Body has more than 1600 characters", code=21617)
        if len(media) > 8:
            raise Refused(422, "More than 8 media", code=21623)
        for url in (*media, form.get("StatusCallback")):
            check_url(url, "MediaUrl" if url in media else "StatusCallback")
        within(form, "ValidityPeriod", 1, 172_800, code=21624)
        queued = sum(row["status"] in _QUEUED for row in self._sim.state.messages.values())
        if queued >= self._sim.backlog:
            raise Refused(422, "The queue of messages is full", code=21611)
        message = life.send_out(self._sim, given, media)
        return Reply.json(self._shown(request, message, "Messages"), 201)

    def _update_message(self, request: Request) -> Reply:
        message = self._row(request, "messages")
        body = Form(request).fields.get("Body")
        if body is None or body:
            raise Refused(422, "Body must be empty", code=10000)
        if message["status"] in _QUEUED:
            raise Refused(422, "A message in progress can't be redacted", code=10000)
        message |= {"body": "", "date_updated": shown_date(self._sim.clock.date())}
        return Reply.json(self._shown(request, message, "Messages"))

    def _list_media(self, request: Request) -> Reply:
        message = self._row(request, "messages")
        rows = [
            {**row, "uri": f"{_uri(request)}/{row['sid']}"}
            for row in self._sim.state.media.get(message["sid"], ())
        ]
        return self._page(request, "media_list", rows)

    # Recordings, transcriptions, faxes.

    def _list_recordings(self, request: Request) -> Reply:
        plain = {"CallSid": "call_sid", "ConferenceSid": "conference_sid"}
        dates = {"DateCreated": "date_created"}
        rows = matching(self._sim.state.recordings.values(), request.query, plain, dates)
        return self._page(request, "recordings", rows[::-1], "Recordings")

    def _list_transcriptions(self, request: Request) -> Reply:
        dates = {"DateCreated": "date_created"}
        rows = matching(self._sim.state.transcriptions.values(), request.query, {}, dates)
        return self._page(request, "transcriptions", rows[::-1], "Transcriptions")

    def _list_faxes(self, request: Request) -> Reply:
        plain = {"From": "from", "To": "to"}
        rows = matching(self._sim.state.faxes.values(), request.query, plain, {})
        rows = between(rows, request.query, "DateCreatedAfter", "DateCreatedOnOrBefore")
        return self._page(request, "faxes", rows[::-1], "Faxes")

    def _send_fax(self, request: Request) -> Reply:
        form = Form(request)
        if not form.get("MediaUrl"):
            raise Refused(422, "MediaUrl can't be blank", code=10000)
        check_url(form.get("MediaUrl"), "MediaUrl")
        choice(form, "Quality", "standard", "fine", "superfine")
        sim = self._sim
        from_ = party(form.get("From"), "From", 21212)
        if sim.state.number_of(from_) is None:
            raise Refused(422, "From must be a number in your project.", code=21210)
        to = party(form.get("To"), "To", 21211)
        fax = fax_row(sim.chance, sim.clock.date(), sim.project, from_, to)
        fax["quality"] = form.get("Quality", "fine")
        sim.state.faxes[fax["sid"]] = fax
        return Reply.json(self._shown(request, fax, "Faxes"))

    def _fax_medias(self, request: Request, fax: Row) -> list[Row]:
        uri = f"{self._home(request)}/Faxes/{fax['sid']}/Media/{fax['media_sid']}.json"
        kept = {name: fax[name] for name in ("account_sid", "date_created", "date_updated")}
        return [
            {
                **kept,
                "sid": fax["media_sid"],
                "fax_sid": fax["sid"],
                "content_type": "image/tiff",
                "uri": uri,
                "url": uri,
            }
        ]

    def _list_fax_media(self, request: Request) -> Reply:
        rows = self._fax_medias(request, self._row(request, "faxes"))
        # The document has both names; the recorded answer has the second.
        return self._page(request, "fax_media", rows, also="media")

    def _fax_media(self, request: Request) -> Reply:
        [row] = self._fax_medias(request, self._row(request, "faxes"))
        if row["sid"] != request.params["Media"]:
            raise Refused(404, "The media was not found", code=20404)
        return Reply.json(row)

    # What they share.

    def _row(self, request: Request, table: str) -> Row:
        rows: Mapping[str, Row] = getattr(self._sim.state, table)
        found = rows.get(request.params["Sid"])
        if found is None:
            raise Refused(404, "The requested resource was not found", code=20404)
        return found

    def _get(self, table: str) -> Handler:
        return lambda request: Reply.json(
            self._shown(request, self._row(request, table), table.capitalize())
        )

    def _delete(self, table: str, refused: frozenset[str]) -> Handler:
        def handler(request: Request) -> Reply:
            row = self._row(request, table)
            if row["status"] in refused:
                raise Refused(422, f"It can't be deleted while it is {row['status']}", code=20009)
            del getattr(self._sim.state, table)[row["sid"]]
            return Reply(204)

        return handler

    def _home(self, request: Request) -> str:
        return f"{_base(request)}/Accounts/{self._sim.project}"

    def _shown(self, request: Request, row: Row, part: str) -> Row:
        """A row with the addresses that belong to it."""
        uri = f"{self._home(request)}/{part}/{row['sid']}"
        inner = _INNER.get(part)
        if part == "Faxes":
            return {**row, "links": {"media": f"{uri}/Media"}, "url": uri}
        if inner is None:
            return {**row, "uri": uri}
        more = {name: f"{uri}/{below}" if below else None for name, below in inner}
        return {**row, "uri": uri, "subresource_uris": more}

    def _page(
        self,
        request: Request,
        name: str,
        rows: Iterable[Row],
        part: str | None = None,
        *,
        also: str | None = None,
    ) -> Reply:
        """One page; a token says after which row the next begins, so that new ones move nothing."""
        query = request.query
        found = list(rows)
        size = whole(query, "PageSize", 50, 1, 1000)
        number = whole(query, "Page", 0, 0, 10**6)
        start = number * size
        token = query.get("PageToken", "")
        if token:
            after = [index for index, row in enumerate(found) if row["sid"] == token[2:]]
            if not token.startswith("PA") or not after:
                raise Refused(400, "PageToken is not valid", code=21481)
            start = after[0] + 1
        shown = found[start : start + size]
        kept = [
            (key, value)
            for key, value in query.items()
            if key not in {"Page", "PageSize", "PageToken"}
        ]

        def uri(page: int, after: str = "") -> str:
            pairs = [*kept, ("Page", str(page)), ("PageSize", str(size))]
            return f"{_uri(request)}?" + urlencode(
                [*pairs, ("PageToken", f"PA{after}")] if after else pairs
            )

        more = start + size < len(found)
        listed = [self._shown(request, row, part) if part else row for row in shown]
        body = {
            "uri": uri(number, token[2:]),
            "first_page_uri": uri(0),
            "next_page_uri": uri(number + 1, shown[-1]["sid"]) if more else None,
            "previous_page_uri": uri(number - 1) if number else None,
            "page": number,
            "page_size": size,
            name: listed,
        }
        return Reply.json({**body, also: listed} if also else body)


_INNER: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "Calls": (("notifications", None), ("recordings", "Recordings")),
    "Messages": (("media", "Media"),),
    "Recordings": (("transcriptions", "Transcriptions"),),
}


def _base(request: Request) -> str:
    """The spelling in which the client asks."""
    return "/api/laml/2010-04-01" if request.path.startswith("/api/laml/") else "/2010-04-01"


def _uri(request: Request) -> str:
    return request.path.removesuffix(".json")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
