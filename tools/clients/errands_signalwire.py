"""SignalWire's client for Python (``signalwire``) against the simulator.

It speaks HTTPS only, so the simulator has a certificate, which the client's session is told of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from signalwire.rest import Client
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient

FACTS = json.loads(os.environ["SIMULATOR"])
PROJECT, TOKEN = FACTS["credentials"]["project_id"], FACTS["credentials"]["api_token"]
OWN, OTHER = FACTS["number"], "+12025550143"
done: list[str] = []


def client(token: str) -> Any:
    http = TwilioHttpClient()
    http.session.verify = os.environ["SSL_CERT_FILE"]
    space = urlsplit(FACTS["origin"]).netloc
    return Client(PROJECT, token, signalwire_space_url=space, http_client=http)


def errand(name: str, work: Callable[[], Any]) -> Any:
    result = work()
    done.append(name)
    return result


def refused(name: str, work: Callable[[], Any]) -> tuple[int, int]:
    try:
        answer = work()
    except TwilioRestException as error:
        done.append(name)
        return error.status, error.code
    raise AssertionError(f"{name}: was not refused: {answer}")


def main() -> None:
    it = client(TOKEN)
    assert len(errand("list calls, by pages", lambda: it.calls.list(limit=3, page_size=2))) == 3
    call = errand(
        "create a call",
        lambda: it.calls.create(from_=OWN, to=OTHER, url="https://example.com/voice"),
    )
    assert (call.from_, call.to) == (OWN, OTHER)
    assert errand("get a call", lambda: it.calls(call.sid).fetch()).sid == call.sid
    ended = errand("update a call", lambda: it.calls(call.sid).update(status="canceled"))
    assert ended.status == "canceled"
    assert errand("delete a call", lambda: it.calls(call.sid).delete()) is True
    assert refused("get a deleted call", lambda: it.calls(call.sid).fetch()) == (404, 20404)

    message = errand("send a message", lambda: it.messages.create(from_=OWN, to=OTHER, body="Hi"))
    assert errand("get a message", lambda: it.messages(message.sid).fetch()).body == "Hi"
    assert errand("list messages", lambda: it.messages.list(limit=2))[0].sid == message.sid
    wrong = refused(
        "send to no number", lambda: it.messages.create(from_=OWN, to="nonsense", body="x")
    )
    assert wrong == (422, 21211)

    assert errand("list recordings", lambda: it.recordings.list(limit=2))
    assert errand("list transcriptions", lambda: it.transcriptions.list(limit=2))
    made = errand("create an application", lambda: it.applications.create(friendly_name="Desk"))
    listed = errand("list applications", it.applications.list)
    assert made.sid in {each.sid for each in listed}
    numbers = errand(
        "search numbers on sale",
        lambda: it.available_phone_numbers("US").local.list(area_code=206, limit=2),
    )
    assert numbers[0].phone_number.startswith("+1206")
    fax = errand(
        "send a fax",
        lambda: it.fax.faxes.create(from_=OWN, to=OTHER, media_url="https://example.com/page.pdf"),
    )
    assert fax.sid in {each.sid for each in errand("list faxes", it.fax.faxes.list)}
    assert errand("list projects", lambda: it.api.accounts.list(limit=1))[0].sid == PROJECT
    stranger = client("PTwrong")
    assert refused("come with a wrong token", lambda: stranger.calls(call.sid).fetch())[0] == 401


if __name__ == "__main__":
    main()
    print(json.dumps({"done": done}))
