"""A secret that was given to us is nowhere in the clear."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
from psycopg import sql

from tests.support import asynchronous

SECRET = "sk-canary-fedcba9876543210"


@asynchronous
async def test_a_secret_is_in_no_table(api: Any, database_url: str) -> None:
    async with api() as it:
        made = await it.client.post(
            "/api/v1/connections",
            json={"connector": "toky", "name": "Canary", "values": {"api_key": SECRET}},
            headers={"idempotency-key": "canary"},
        )
        assert made.status_code == 201, made.text
        await it.client.post(f"/api/v1/connections/{made.json()['id']}/test")
        with psycopg.connect(database_url) as db:
            tables = db.execute(
                "select schemaname, tablename from pg_tables where schemaname in "
                "('public', 'procrastinate')"
            ).fetchall()
            forms = [SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode()]
            rows = 0
            for schema, table in tables:
                whole = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
                for (text,) in db.execute(whole):
                    rows += 1
                    assert not [form for form in forms if form in text], f"{schema}.{table}"
            assert rows > 10
