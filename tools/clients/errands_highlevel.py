"""HighLevel's client for Python (``gohighlevel-api-client``) on the simulator, in version v3."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable
from typing import Any

from highlevel import HighLevel
from highlevel.error import GHLError

FACTS = json.loads(os.environ["SIMULATOR"])
KNOWN = FACTS["credentials"]
LOCATION = KNOWN["location_id"]
HighLevel.BASE_URL = FACTS["base_url"]
done: list[str] = []


async def errand(name: str, work: Awaitable[Any]) -> Any:
    result = await work
    done.append(name)
    return result


async def refused(name: str, work: Awaitable[Any]) -> int | None:
    try:
        answer = await work
    except GHLError as error:
        done.append(name)
        status: int | None = error.status_code
        return status
    raise AssertionError(f"{name}: was not refused: {answer}")


async def with_private_token() -> None:
    client = HighLevel(private_integration_token=KNOWN["token"], log_level="none")
    it = client.contacts
    wanted = {"locationId": LOCATION, "pageLimit": 3}
    found = await errand("search contacts", it.search_contacts_advanced(wanted))
    assert len(found["contacts"]) == 3
    body = {"locationId": LOCATION, "firstName": "Ada", "email": "ada@example.com", "tags": ["a"]}
    contact = (await errand("create a contact", it.create_contact(body)))["contact"]["id"]
    assert await refused("create a contact twice", it.create_contact(body)) == 400
    await errand("update a contact", it.update_contact(contact, {"lastName": "Lovelace"}))
    got = await errand("get a contact", it.get_contact(contact))
    assert got["contact"]["lastName"] == "Lovelace"
    more = {"locationId": LOCATION, "email": "ada@example.com", "city": "London"}
    upserted = await errand("upsert a contact", it.upsert_contact(more))
    assert (upserted["new"], upserted["contact"]["id"]) == (False, contact)
    tags = await errand("add tags", it.add_tags(contact, {"tags": ["b"]}))
    assert tags["tags"] == ["a", "b"]
    note = await errand("create a note", it.create_note(contact, {"body": "Called back"}))
    notes = await errand("list notes", it.get_all_notes(contact))
    assert notes["notes"][0]["id"] == note["note"]["id"]
    due = {"title": "Call", "dueDate": "2026-01-05T10:00:00Z", "completed": False}
    task = (await errand("create a task", it.create_task(contact, due)))["task"]
    ended = await errand(
        "complete a task", it.update_task_completed(contact, task["id"], {"completed": True})
    )
    assert ended["task"]["completed"] is True
    calendars = await errand("list calendars", client.calendars.get_calendars(LOCATION))
    when = {
        "calendarId": calendars["calendars"][0]["id"],
        "locationId": LOCATION,
        "contactId": contact,
        "startTime": "2026-01-05T10:00:00+00:00",
    }
    made = await errand("create an appointment", client.calendars.create_appointment(when))
    assert made["contactId"] == contact
    sales = await errand("list pipelines", client.opportunities.get_pipelines(LOCATION))
    assert sales["pipelines"]
    text = {"type": "SMS", "contactId": contact, "message": "Good morning"}
    sent = await errand("send a message", client.conversations.send_a_new_message(text))
    assert sent["messageId"]
    nonsense = {"locationId": LOCATION, "nonsense": 1}
    assert await refused("create with an unknown field", it.create_contact(nonsense)) == 422
    await errand("delete a contact", it.delete_contact(contact))
    assert await refused("get a deleted contact", it.get_contact(contact)) == 404
    await client.http_client.aclose()
    stranger = HighLevel(private_integration_token="pit-wrong", log_level="none")
    assert await refused("come with a wrong token", stranger.contacts.get_contact(contact)) == 401
    await stranger.http_client.aclose()


async def with_oauth() -> None:
    app = {"client_id": KNOWN["client_id"], "client_secret": KNOWN["client_secret"]}
    client = HighLevel(**app, log_level="none")
    asked = {
        "clientId": KNOWN["client_id"],
        "clientSecret": KNOWN["client_secret"],
        "grantType": "authorization_code",
        "code": FACTS["code"],
        "redirectUri": FACTS["redirect_uri"],
        "userType": "Location",
    }
    tokens = await errand("exchange a code for tokens", client.oauth.get_access_token(asked))
    renewed = await errand(
        "renew a token",
        client.oauth.refresh_token(
            tokens["refreshToken"], *app.values(), "refresh_token", "Location"
        ),
    )
    visitor = HighLevel(**app, location_access_token=renewed["accessToken"], log_level="none")
    wanted = {"locationId": LOCATION, "pageLimit": 1}
    found = await errand(
        "search with the renewed token", visitor.contacts.search_contacts_advanced(wanted)
    )
    assert len(found["contacts"]) == 1
    for each in (client, visitor):
        await each.http_client.aclose()


async def main() -> None:
    await with_private_token()
    await with_oauth()


if __name__ == "__main__":
    asyncio.run(main())
    print(json.dumps({"done": done}))
