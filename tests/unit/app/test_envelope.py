"""What callers of the API are told when something goes wrong that is not theirs."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from junctor.app.api.envelope import failure_of


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeout("couldn't get a connection after 10.00 sec"),
        errors.AdminShutdown("terminating connection"),
        psycopg.OperationalError("connection failed"),
        psycopg.InterfaceError("the connection is closed"),
    ],
)
def test_a_database_that_is_away_is_no_bug(error: Exception) -> None:
    status, body = failure_of(error)
    assert (status, body["error"]["code"]) == (503, "unavailable")


def test_a_statement_that_fails_is() -> None:
    assert failure_of(errors.UndefinedColumn("column x"))[0] == 500
    assert failure_of(errors.ProgramLimitExceeded("too much"))[0] == 500
