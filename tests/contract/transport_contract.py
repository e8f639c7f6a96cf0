"""What every `Transport` must do, run on the fake and on the real one.

A subclass provides ``transport`` and ``url``: fixtures giving the transport, and a function from a
behaviour's name (a method below asks for them) to an absolute URL that behaves so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Request, Response
from junctor.ports.transport import Transport

Run = Callable[[Awaitable[Response]], Response]


class TransportContract:
    def test_an_answer_comes_back_whole(
        self, transport: Transport, url: Callable[[str], str], run: Run
    ) -> None:
        response = run(transport.send(Request("POST", url("echo"), json={"a": 1})))
        assert (response.status, response.json()) == (200, {"a": 1})

    @pytest.mark.parametrize("status", [302, 404, 429, 500])
    def test_any_complete_answer_is_returned(
        self, transport: Transport, url: Callable[[str], str], run: Run, status: int
    ) -> None:
        assert run(transport.send(Request("GET", url(f"status/{status}")))).status == status

    def test_header_names_are_lower_case(
        self, transport: Transport, url: Callable[[str], str], run: Run
    ) -> None:
        response = run(transport.send(Request("GET", url("headers"))))
        assert response.headers["x-one"] == "1, 2"
        assert response.headers["set-cookie"] == "a=1\nb=2"

    def test_unreachable_is_not_sent(
        self, transport: Transport, url: Callable[[str], str], run: Run
    ) -> None:
        with pytest.raises(NotSent) as caught:
            run(transport.send(Request("POST", url("unreachable"), json={})))
        assert caught.value.params["host"]
        assert caught.value.params["reason"]

    @pytest.mark.parametrize("behaviour", ["cut", "hang"])
    def test_no_complete_answer_is_uncertain(
        self, transport: Transport, url: Callable[[str], str], run: Run, behaviour: str
    ) -> None:
        with pytest.raises(Uncertain) as caught:
            run(transport.send(Request("POST", url(behaviour), json={}, timeout=40)))
        assert caught.value.params["reason"]
