from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest
from signalwire_rig import Client, Cxml, form_of, with_cxml, with_sim
from sim_client import Receiver, Time, call, receiving

from junctor.simulators.kit import running
from junctor.simulators.signalwire import SignalWireSimulator


def test_project_and_token_are_needed_and_all_four_spellings_answer() -> None:
    async def test(it: Client) -> None:
        sim = it.sim
        for base in ("/api/laml/2010-04-01", "/2010-04-01"):
            url = f"{sim.origin}{base}/Accounts/{sim.project}/Calls"
            bodies = [
                (await call("GET", url + end, headers=it.headers)).data for end in ("", ".json")
            ]
            assert bodies[0] == bodies[1]
            assert bodies[0]["uri"].startswith(base)
            sid = bodies[0]["calls"][0]["sid"]
            for end in ("", ".json"):
                one = await call("GET", f"{url}/{sid}{end}", headers=it.headers)
                assert one.data["sid"] == sid
            refused = await call("GET", url)
            assert (refused.status, refused.data["code"], refused.data["status"]) == (
                401,
                20003,
                401,
            )
        other = f"{sim.origin}/2010-04-01/Accounts/another/Calls"
        assert (await call("GET", other, headers=it.headers)).data["code"] == 20404
        rest = await call("GET", f"{sim.origin}/api/relay/rest/phone_numbers")
        assert (rest.status, rest.data) == (401, {"error": "Unauthorized"})
        assert (await it("GET", "/Nothing")).status == 404

    with_sim(test)


def test_answers_carry_the_limits_and_writes_are_limited() -> None:
    async def test(it: Client) -> None:
        headers = (await it("GET", "/Calls")).headers
        assert headers["x-ratelimit-limit"] == "50000"
        assert {"x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id"} <= set(headers)
        await it.admin("/limits", {"max": 1, "backlog": 0})
        pairs = (("To", "+12025550142"), ("From", it.numbers[0]), ("Body", "x"))
        assert (await it("POST", "/Messages", *pairs)).data["code"] == 21611
        refused = await it("POST", "/Messages", *pairs)
        assert (refused.status, refused.data["code"]) == (429, 20429)
        assert (await it("GET", "/Messages")).status == 200

    with_sim(test)


def test_pages_follow_their_next_address_and_new_rows_move_nothing() -> None:
    async def test(it: Client) -> None:
        first = (await it("GET", "/Calls?PageSize=4")).data
        assert (first["page"], first["page_size"], len(first["calls"])) == (0, 4, 4)
        await it.admin("/inbound-calls", {"count": 3})
        url = it.sim.origin + first["next_page_uri"]
        second = (await call("GET", url, headers=it.headers)).data
        assert second["next_page_uri"] is None
        seen = [row["sid"] for row in first["calls"] + second["calls"]]
        assert len(set(seen)) == 6
        assert (await it("GET", "/Calls?PageToken=PAnone&Page=1")).data["code"] == 21481
        assert (await it("GET", "/Calls?PageSize=1001")).status == 422
        last = (await it("GET", "/Calls?PageSize=5&Page=1")).data
        assert last["previous_page_uri"].endswith("Page=0&PageSize=5")

    with_sim(test)


def test_lists_are_filtered() -> None:
    async def test(it: Client) -> None:
        rows = (await it("GET", "/Calls")).data["calls"]
        moment = urlencode({"": rows[2]["start_time"]})[1:]
        for sign, count in (("", 1), ("%3C", 3), ("%3E", 2)):
            found = (await it("GET", f"/Calls?StartTime{sign}={moment}")).data["calls"]
            assert len(found) == count, sign
        day = (await it("GET", "/Messages?DateSent%3E=2020-01-01")).data["messages"]
        assert len(day) == 6
        assert (await it("GET", "/Messages?DateSent%3C=2020-01-01")).data["messages"] == []
        caller = rows[0]["from"].replace("+", "%2B")
        assert (await it("GET", f"/Calls?From={caller}")).data["calls"] == [rows[0]]
        assert (await it("GET", "/Calls?Status=busy")).data["calls"] == []
        assert (await it("GET", "/Calls?StartTime=soon")).status == 422

    with_sim(test)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"From": "+12025559999"}, 21210),
        ({"To": "nobody"}, 21211),
        ({"Url": ""}, 21205),
        ({"Url": "ftp://x"}, 21402),
        ({"Timeout": "0"}, 10000),
        ({"SendDigits": "1a"}, 10000),
        ({"Trim": "yes"}, 10000),
        ({"StatusCallbackEvent": "tea"}, 10000),
        ({"ApplicationSid": "x"}, 21218),
    ],
)
def test_a_call_is_refused_with_the_vendors_code(change: dict[str, str], code: int) -> None:
    async def test(it: Client) -> None:
        good = {"From": it.numbers[0], "To": "+12025550142", "Url": "https://example.com/a.xml"}
        refused = await it("POST", "/Calls", *{**good, **change}.items())
        assert (refused.status, refused.data["code"]) == (422, code)
        assert refused.data["message"]

    with_sim(test)


def test_a_call_goes_out_through_its_states_and_tells_of_them_signed() -> None:
    async def test(it: Client, server: Cxml) -> None:
        made = await it(
            "POST",
            "/Calls",
            ("From", it.numbers[0]),
            ("To", "+12025550142"),
            ("Url", f"{server.url}/say"),
            ("Record", "true"),
            ("RecordingStatusCallback", f"{server.url}/recording"),
            ("StatusCallback", f"{server.url}/status"),
            *[
                ("StatusCallbackEvent", e)
                for e in ("initiated", "ringing", "answered", "completed")
            ],
        )
        assert (made.status, made.data["status"], made.data["direction"]) == (
            200,
            "queued",
            "outbound",
        )
        sid = made.data["sid"]
        await it.sim.deliveries.settled()
        it.sim.state.calls[sid]["status"] = "in-progress"
        assert (await it("DELETE", f"/Calls/{sid}")).data["code"] == 20009
        it.sim.state.calls[sid]["status"] = "completed"
        done = (await it("GET", f"/Calls/{sid}")).data
        assert (done["status"], done["duration"]) == ("completed", 20)
        told = [form_of(r) for r in server.asked if r.path == "/status"]
        assert sorted(form["CallStatus"] for form in told) == [
            "completed", "in-progress", "queued", "ringing",
        ]  # fmt: skip
        [recording] = [form_of(r) for r in server.asked if r.path == "/recording"]
        found = (await it("GET", f"/Recordings?CallSid={sid}")).data["recordings"]
        assert [row["sid"] for row in found] == [recording["RecordingSid"]]
        server.genuine(it.sim.keys["signing_key"])
        assert (await it("POST", f"/Calls/{sid}", ("Status", "completed"))).data["code"] == 21220
        assert (await it("DELETE", f"/Calls/{sid}")).status == 204
        assert (await it("GET", f"/Calls/{sid}")).status == 404

    with_cxml(test, say=(200, "<Response><Say>Hi</Say></Response>"))


def test_a_call_that_comes_in_asks_the_fallback_after_a_refusal() -> None:
    async def test(it: Client, server: Cxml) -> None:
        number = next(iter(it.sim.state.numbers))
        changed = await it.rest(
            "PUT",
            f"/phone_numbers/{number}",
            {
                "call_request_url": f"{server.url}/down",
                "call_fallback_url": f"{server.url}/up",
                "call_status_callback_url": f"{server.url}/ended",
            },
        )
        assert changed.status == 200
        made = await it.admin("/inbound-calls?wait=true", {"from": "+12025550142"})
        [sid] = made["calls"]
        assert it.sim.state.heard[sid] == ["<Response><Say>Sorry</Say></Response>"]
        forms = {request.path: form_of(request) for request in server.asked}
        assert forms["/up"]["ErrorUrl"] == f"{server.url}/down"
        assert forms["/ended"]["CallStatus"] == "completed"
        server.genuine(it.sim.keys["signing_key"])
        await it.admin("/faults", {"kind": "status"})

    with_cxml(
        test,
        down=(503, "<Response/>"),
        up=(200, "<Response><Say>Sorry</Say></Response>"),
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((200, "<Response><Reject/></Response>"), "busy"),
        ((200, "not XML"), "failed"),
        ((200, "<Answer/>"), "failed"),
        ((500, "<Response/>"), "failed"),
        ((200, "<Response/>"), "completed"),
    ],
)
def test_what_is_no_cxml_fails_the_call(answer: tuple[int, str], status: str) -> None:
    async def test(it: Client, server: Cxml) -> None:
        number = next(iter(it.sim.state.numbers.values()))
        number["call_request_url"] = f"{server.url}/cxml"
        [sid] = (await it.admin("/inbound-calls?wait=true", {}))["calls"]
        assert it.sim.state.calls[sid]["status"] == status

    with_cxml(test, cxml=answer)


def test_messages_are_sent_told_of_cleared_and_deleted() -> None:
    async def test(it: Client, server: Cxml) -> None:
        await it.admin("/outcomes", {"to": "+12025550143", "message": "undelivered"})
        common = (("From", it.numbers[0]), ("StatusCallback", f"{server.url}/status"))
        made = []
        for to in ("+12025550142", "+12025550143"):
            answer = await it(
                "POST",
                "/Messages",
                ("To", to),
                ("Body", "x" * 200),
                ("MediaUrl", "https://example.com/a.jpg"),
                ("MediaUrl", "https://example.com/b.jpg"),
                *common,
            )
            assert (answer.status, answer.data["status"]) == (201, "queued")
            assert (answer.data["num_segments"], answer.data["num_media"]) == (2, 2)
            made.append(answer.data["sid"])
        path = f"/Messages/{made[0]}"
        await it.sim.deliveries.settled()
        message = it.sim.state.messages[made[0]]
        message["status"] = "queued"
        assert (await it("POST", path, ("Body", ""))).status == 422
        assert (await it("DELETE", path)).data["code"] == 20009
        message["status"] = "delivered"
        rows = [(await it("GET", f"/Messages/{sid}")).data for sid in made]
        assert [(row["status"], row["error_code"]) for row in rows] == [
            ("delivered", None), ("undelivered", "30003"),
        ]  # fmt: skip
        told = {(f["MessageSid"], f["MessageStatus"]) for f in map(form_of, server.asked)}
        assert told == {
            (made[0], "sent"), (made[0], "delivered"), (made[1], "sent"), (made[1], "undelivered"),
        }  # fmt: skip
        media = (await it("GET", f"{path}/Media")).data["media_list"]
        assert [row["parent_sid"] for row in media] == [made[0]] * 2
        assert (await it("POST", path, ("Body", "changed"))).status == 422
        assert (await it("POST", path, ("Body", ""))).data["body"] == ""
        assert (await it("DELETE", path)).status == 204
        for change, code in (
            ((("To", ""),), 21604),
            ((("Body", ""),), 21602),
            ((("From", ""),), 21705),
            ((("Body", "x" * 1601),), 21617),
            ((("ValidityPeriod", "0"),), 21624),
        ):
            good = {"To": "+12025550142", "From": it.numbers[0], "Body": "x"}
            refused = await it("POST", "/Messages", *{**good, **dict(change)}.items())
            assert refused.data["code"] == code

    with_cxml(test)


def test_a_message_that_comes_in_is_told_of_and_replied_to() -> None:
    async def test(it: Client, server: Cxml) -> None:
        number = next(iter(it.sim.state.numbers.values()))
        number["message_request_url"] = f"{server.url}/in"
        order = {"body": "Hello", "from": "+12025550142", "media": ["https://example.com/a.jpg"]}
        row = await it.admin("/inbound-messages?wait=true", order)
        [form] = [form_of(request) for request in server.asked]
        assert (form["MessageSid"], form["NumMedia"]) == (row["sid"], "1")
        assert form["MediaUrl0"] == "https://example.com/a.jpg"
        newest = (await it("GET", "/Messages?PageSize=1")).data["messages"][0]
        assert (newest["body"], newest["direction"]) == ("Thanks", "outbound-reply")
        bad = await call("POST", it.sim.admin_url + "/inbound-messages", {"body": "x", "to": "+1"})
        assert bad.status == 400

    with_cxml(test, **{"in": (200, "<Response><Message>Thanks</Message></Response>")})


def test_a_status_callback_is_tried_three_times() -> None:
    async def run() -> None:
        time = Time()
        async with (
            running(SignalWireSimulator(seed=1, clock=time.clock())) as sim,
            receiving([500] * 9) as receiver,
        ):
            it = Client(sim)
            await send(it, receiver)
            await sim.deliveries.settled()
            tries = [form_of(request)["MessageStatus"] for request in receiver.requests]
            assert sorted(tries) == ["delivered"] * 3 + ["sent"] * 3

    async def send(it: Client, receiver: Receiver) -> None:
        pairs = {"To": "+12025550142", "From": it.numbers[0], "Body": "x"}
        await it("POST", "/Messages", *pairs.items(), ("StatusCallback", receiver.url))

    asyncio.run(run())


def test_numbers_are_listed_by_pages_and_changed() -> None:
    async def test(it: Client) -> None:
        page = (await it.rest("GET", "/phone_numbers?page_size=1")).data
        assert len(page["data"]) == 1
        second = await call("GET", page["links"]["next"], headers=it.headers)
        assert second.data["data"][0]["number"] == it.numbers[1]
        assert "next" not in second.data["links"]
        assert (await it.rest("GET", "/phone_numbers?page_number=1")).status == 422
        named = (await it.rest("GET", "/phone_numbers?filter_name=front")).data["data"]
        assert [row["number"] for row in named] == it.numbers[:1]
        path = f"/phone_numbers/{named[0]['id']}"
        for bad in (
            {"number": "+1"},
            {"call_handler": "call_flow"},
            {"call_request_url": "x"},
            {"call_request_method": "PUT"},
            {"name": 1},
        ):
            refused = await it.rest("PUT", path, bad)
            assert refused.status == 422, bad
            assert refused.data["errors"][0]["detail"]
        assert (await it.rest("GET", "/phone_numbers/none")).data == {"error": "Not Found"}
        assert len((await it.rest("GET", "/number_groups")).data["data"]) == 1

    with_sim(test)
