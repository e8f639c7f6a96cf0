"""The vendors' own client libraries talk to the simulators; only the address is set.

Crisp's for Python is among the tests' packages. The others are installed by `make conform-clients`
(``tools/clients``), each with a program that does its errands and says which; without them these
tests are skipped. Toky has no client library.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from certificates import self_signed
from crisp_api import Crisp
from crisp_api.errors.route import RouteError

from junctor.simulators import make
from junctor.simulators.kit import Simulator
from junctor.simulators.signalwire import SignalWireSimulator
from junctor.simulators.threads import serving
from tests.support import ROOT

CLIENTS = ROOT / "tools" / "clients"
PYTHON = str(CLIENTS / ".venv" / "bin" / "python")
REDIRECT = "http://127.0.0.1/back"
PROGRAMS = {
    # program: simulator, how it is run, and how many errands it does
    "signalwire.cjs": ("signalwire", "node", 18),
    "crisp.cjs": ("crisp", "node", 21),
    "highlevel.cjs": ("highlevel", "node", 23),
    "errands_signalwire.py": ("signalwire", PYTHON, 19),
    "errands_highlevel.py": ("highlevel", PYTHON, 22),
}


def refusal(work: Callable[[], Any]) -> dict[str, Any]:
    """What Crisp's client raises."""
    with pytest.raises(RouteError) as caught:
        work()
    error: dict[str, Any] = caught.value.args[0]
    return error


def crisp_client(sim: Simulator, key: str = "") -> Any:
    known = sim.credentials
    client = Crisp()
    client.set_rest_host(sim.origin)
    client.set_tier(known["tier"])
    client.authenticate(known["identifier"], key or known["key"])
    return client.website


def test_crisp_for_python() -> None:
    with serving(make("crisp", seed=1)) as sim:
        website, it = sim.credentials["website_id"], crisp_client(sim)
        assert it.get_website(website)["website_id"] == website
        assert it.list_conversations(website, 1)
        session = it.create_new_conversation(website)["session_id"]
        said = {"type": "text", "from": "operator", "origin": "chat", "content": "Good morning"}
        sent = it.send_message_in_conversation(website, session, said)["fingerprint"]
        found = it.get_message_in_conversation(website, session, sent)
        assert found["content"] == "Good morning"
        it.update_message_in_conversation(website, session, sent, {"content": "Good evening"})
        [message] = it.get_messages_in_conversation(website, session, {})
        assert message["content"] == "Good evening"
        it.update_conversation_metas(website, session, {"nickname": "Ada"})
        assert it.get_conversation_metas(website, session)["nickname"] == "Ada"
        [row] = it.search_conversations(website, 1, "Ada", "text")
        assert row["session_id"] == session
        it.change_conversation_state(website, session, {"state": "resolved"})
        assert it.get_conversation_state(website, session) == {"state": "resolved"}

        person = {"email": "ada@example.com", "person": {"nickname": "Ada"}}
        made = it.add_new_people_profile(website, person)["people_id"]
        twice = refusal(lambda: it.add_new_people_profile(website, person))
        assert (twice["code"], twice["message"]) == (409, "people_exists")
        it.update_people_profile(website, made, {"person": {"nickname": "Countess"}})
        assert it.get_people_profile(website, made)["person"]["nickname"] == "Countess"
        it.save_people_data(website, made, {"data": {"plan": "gold"}})
        assert it.get_people_data(website, made) == {"data": {"plan": "gold"}}
        it.remove_people_profile(website, made)

        it.check_conversation_exists(website, session)
        it.remove_conversation(website, session)
        assert refusal(lambda: it.get_conversation(website, session))["code"] == 404
        stranger = crisp_client(sim, "0" * 64)
        assert refusal(lambda: stranger.get_website(website))["code"] == 401


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_other_clients(program: str, tmp_path: Path) -> None:
    name, runner, errands = PROGRAMS[program]
    installed(runner)
    with served(name, tmp_path) as sim:
        environment = {
            **os.environ,
            "SIMULATOR": json.dumps(facts(sim)),
            "NODE_EXTRA_CA_CERTS": str(tmp_path / "certificate.pem"),
            "SSL_CERT_FILE": str(tmp_path / "certificate.pem"),
        }
        environment.pop("PYTHONPATH", None)
        ran = subprocess.run(
            [runner, str(CLIENTS / program)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        done = json.loads(ran.stdout.splitlines()[-1])["done"]
        assert len(set(done)) == errands, done


def installed(runner: str) -> None:
    """Skips where a client isn't installed; `make conform-clients` wants them all."""
    here = CLIENTS / "node_modules" if runner == "node" else Path(runner)
    if shutil.which(runner) and here.exists():
        return
    reason = "the vendors' clients are not installed here: make conform-clients does it"
    if os.environ.get("JUNCTOR_CI_CLIENTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def served(name: str, folder: Path) -> AbstractContextManager[Simulator]:
    """SignalWire's with a certificate: its clients speak nothing but HTTPS."""
    certificate, key = self_signed()
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return serving(make(name, seed=1), certificate=context if name == "signalwire" else None)


def facts(sim: Simulator) -> dict[str, Any]:
    """What a program must know: nothing but a user's own knowledge."""
    more: dict[str, Any] = {}
    if isinstance(sim, SignalWireSimulator):
        more["number"] = next(iter(sim.state.numbers.values()))["number"]
    if sim.name == "highlevel":
        more = {"redirect_uri": REDIRECT, "code": consent(sim)}
    return {"origin": sim.origin, "base_url": sim.base_url, "credentials": sim.credentials, **more}


def consent(sim: Simulator) -> str:
    """A user agrees that an app may reach the location."""
    asked = {
        "response_type": "code",
        "client_id": sim.credentials["client_id"],
        "redirect_uri": REDIRECT,
        "scope": "contacts.readonly contacts.write",
    }
    answer = requests.get(
        f"{sim.base_url}/v2/oauth/chooselocation", params=asked, allow_redirects=False, timeout=120
    )
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
