"""A database with something of everything, to be backed up."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from junctor.adapters.postgres.catalog import PostgresCatalog
from junctor.adapters.postgres.database import pool
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.app.settings import Settings
from tests.conftest import on

KEY = "main:" + base64.b64encode(bytes(range(32))).decode()
BLUEPRINT = json.dumps(
    {"name": "s", "flow": [], "metadata": {"version": 1, "scenario": {"sequential": True}}}
)
ROLES = """
select c.relname, c.relrowsecurity, c.relforcerowsecurity, coalesce(c.relacl::text, ''),
  array(select p.polname::text || ' ' || p.polroles::regrole[]::text from pg_policy p
    where p.polrelid = c.oid order by 1)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'procrastinate') and c.relkind in ('r', 'p', 'S') order by 1"""
CODE = """
select p.proname, p.prosecdef, coalesce(p.proacl::text, ''), p.proconfig from pg_proc p
join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'procrastinate')
order by 1, p.proargtypes::text"""


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    name = f"restored_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield on(url, name)
        finally:
            db.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def rows(url: str, query: str, *parameters: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query, parameters).fetchall()


def say(url: str, query: str, *parameters: Any) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(query, parameters)


class World:
    """An installation with something of each kind under way."""

    organization: UUID
    scenario: UUID
    sealed: bytes


async def inhabit(url: str, settings: Settings) -> World:
    world = World()
    async with pool(url, "api", 1, 2) as api, pool(url, "engine", 1, 2) as engine:
        catalog = PostgresCatalog(api, engine)
        tenant, _ = await catalog.create_organization(f"Acme {uuid4()}", actor="t")
        world.organization = tenant.organization_id
        keyring = await PostgresVault(engine, MasterKeys.load(settings.data_dir)).keyring(
            world.organization
        )
        world.sealed = keyring.seal(b"the key of a customer", b"c")
        scenario = await catalog.create_scenario(
            world.organization, actor="t", name="Calls", blueprint=BLUEPRINT
        )
        world.scenario = scenario.id
        await catalog.publish(world.organization, scenario.id, actor="t")
        await catalog.set_active(world.organization, scenario.id, actor="t", active=True)
        await catalog.create_hook(
            world.organization,
            actor="t",
            name="In",
            connector="gateway",
            kind="CustomWebHook",
            scenario_id=scenario.id,
        )
    where = (world.organization, world.scenario)
    say(url, 'update hooks set registration = \'{"id": "7"}\' where organization_id = %s', where[0])
    say(
        url,
        "insert into inbox (organization_id, id, scenario_id, payload) values (%s, %s, %s, 'x')",
        world.organization,
        uuid4(),
        world.scenario,
    )
    say(
        url,
        "insert into backlog (organization_id, scenario_id, fence, owner, lease_until, due_at) "
        "values (%s, %s, 5, 'w', now() + interval '1 hour', now())",
        *where,
    )
    for state in ("finished", "waiting", "incomplete", "uncertain"):
        say(
            url,
            "insert into runs (organization_id, id, retention, scenario_id, version, state, "
            "due_at, actor, started_at) values (%s, %s, 'standard', %s, 1, %s, now(), 't', now())",
            world.organization,
            uuid4(),
            world.scenario,
            state,
        )
    say(
        url,
        "insert into schedules (organization_id, scenario_id, scheduling, next_at, updated_by) "
        'values (%s, %s, \'{"type": "indefinitely", "interval": 900}\', now(), \'t\')',
        *where,
    )
    owner, name, content = uuid4(), os.urandom(16), os.urandom(300_000)
    say(url, "insert into blobs values (%s, %s, %s, 300000)", world.organization, name, owner)
    say(
        url,
        "insert into blob_chunks (organization_id, owner, id, n, data) values (%s, %s, %s, 0, %s)",
        world.organization,
        owner,
        name,
        content,
    )
    say(url, "insert into nodes (name, role) values ('w1', 'worker') on conflict do nothing")
    say(
        url,
        "insert into notices (organization_id, id, kind) values (%s, %s, 'run_stopped')",
        world.organization,
        uuid4(),
    )
    insert = "insert into waits (organization_id, id, run_id, scenario_id, module, kind, hook_id,"
    for kind, answered in (("delivery", None), ("delivery", "now"), ("approval", None)):
        say(
            url,
            f"{insert} sealed, until, looked, answered_at) values"
            " (%s, %s, %s, %s, 1, %s, %s, 'match', now() + interval '1 day', true, %s)",
            world.organization, uuid4(), uuid4(), world.scenario, kind, uuid4(), answered,
        )  # fmt: skip
    say(
        url,
        "insert into stops (organization_id, run_id, actor) values (%s, %s, 't')",
        world.organization,
        uuid4(),
    )
    channel = uuid4()
    say(
        url,
        "insert into notification_channels (organization_id, id, name, kind, address, created_by)"
        " values (%s, %s, 'ops', 'email', 'ops@x.test', 't')",
        world.organization,
        channel,
    )
    say(
        url,
        "insert into notifications (organization_id, id, channel_id, kind, due_at)"
        " values (%s, %s, %s, 'run_stopped', now())",
        world.organization,
        uuid4(),
        channel,
    )
    return world
