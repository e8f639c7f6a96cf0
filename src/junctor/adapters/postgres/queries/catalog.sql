-- What the API and the command line read and write. Role junctor_api, one organisation per
-- transaction; the few for the whole installation run as junctor_engine and say so.
-- `revision` null writes whatever is there. Lists fetch one row more than shown.

-- name: create_organization
-- (engine)
insert into organizations (organization_id, name, zone, locale, country, created_by)
values (%(organization)s, %(name)s, %(zone)s, %(locale)s, %(country)s, %(actor)s)
returning organization_id, name, zone, locale, country, revision, created_at, retention

-- name: create_team
insert into teams (organization_id, id, name, created_by)
values (%(organization)s, %(id)s, %(name)s, %(actor)s)
returning organization_id, id, name, revision

-- name: organizations
-- (engine)
select organization_id, name, zone, locale, country, revision, created_at, retention
from organizations order by organization_id

-- name: organization
select organization_id, name, zone, locale, country, revision, created_at, retention
from organizations where organization_id = %(organization)s

-- name: update_organization
update organizations set name = coalesce(%(name)s, name), zone = coalesce(%(zone)s, zone),
  locale = coalesce(%(locale)s, locale), country = coalesce(%(country)s, country), retention = coalesce(%(retention)s, retention), revision = revision + 1
where organization_id = %(organization)s and revision = coalesce(%(revision)s, revision)
returning organization_id, name, zone, locale, country, revision, created_at, retention

-- name: teams
select organization_id, id, name, revision from teams where organization_id = %(organization)s order by id

-- name: first_team
select id from teams where organization_id = %(organization)s order by id limit 1

-- name: create_token
insert into tokens (organization_id, id, name, hash, scopes, created_by, expires_at)
values (%(organization)s, %(id)s, %(name)s, %(hash)s, %(scopes)s, %(actor)s, %(expires_at)s)
returning organization_id, id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at

-- name: find_token
-- (engine) Its use is noted once a minute: a write per call would cost more than the call.
with found as (
  select * from tokens where hash = %(hash)s and revoked_at is null and (expires_at is null or expires_at > now())
), used as (
  update tokens t set used_at = now() from found f
  where t.organization_id = f.organization_id and t.id = f.id
    and (f.used_at is null or f.used_at < now() - interval '1 minute')
)
select organization_id, id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at from found

-- name: tokens
select organization_id, id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at
from tokens where organization_id = %(organization)s order by id desc

-- name: revoke_token
update tokens set revoked_at = coalesce(revoked_at, now())
where organization_id = %(organization)s and id = %(id)s
returning organization_id, id, name, scopes, created_at, created_by, expires_at, used_at, revoked_at

-- name: nodes
select name, role, started_at, seen_at, details from nodes order by started_at, name

-- name: append_audit
select append_audit(%(organization)s, %(actor)s, %(verb)s, %(object)s, %(details)s)

-- name: audit
select seq, at, actor, verb, object, details, hash from audit
where organization_id = %(organization)s and seq < coalesce(%(before)s, 9223372036854775807)
order by seq desc limit %(limit)s

-- name: verify_audit
select verify_audit(%(organization)s)

-- name: create_scenario
insert into scenarios (organization_id, id, team_id, name, detail, retention, confidential, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(name)s, %(detail)s,
  coalesce(%(retention)s::text, (select o.retention from organizations o where o.organization_id = %(organization)s)),
  %(confidential)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at

-- name: create_version
insert into scenario_versions (organization_id, scenario_id, version, blueprint, bindings, created_by)
values (%(organization)s, %(scenario)s, %(version)s, %(blueprint)s, %(bindings)s, %(actor)s)

-- name: scenarios
select organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at
from scenarios
where organization_id = %(organization)s and (%(active)s::boolean is null or active = %(active)s)
  and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: scenario
select organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at
from scenarios where organization_id = %(organization)s and id = %(id)s

-- name: update_scenario
update scenarios set name = coalesce(%(name)s, name), detail = coalesce(%(detail)s, detail),
  retention = coalesce(%(retention)s, retention), confidential = coalesce(%(confidential)s, confidential),
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at

-- name: lock_scenario
select 1 from scenarios where organization_id = %(organization)s and id = %(id)s for no key update

-- name: raise_draft
-- Numbers are never reused: the next is after the highest. A blueprint can make a scenario
-- confidential, and only a person makes it open again.
update scenarios s set confidential = confidential or %(confidential)s, draft = (
    select max(v.version) + 1 from scenario_versions v
    where v.organization_id = s.organization_id and v.scenario_id = s.id),
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at

-- name: publish
update scenarios s set published = coalesce(%(version)s, draft),
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
  and exists (select from scenario_versions v where v.organization_id = s.organization_id
    and v.scenario_id = s.id and v.version = coalesce(%(version)s, s.draft))
returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at

-- name: set_active
-- Workers are woken: what arrived while it stood can be claimed from now on. A pause or a draining
-- ends with it.
with changed as (
  update scenarios set active = %(active)s, paused_at = null, draining_at = null,
    revision = revision + 1, updated_at = now(), updated_by = %(actor)s
  where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
    and (not %(active)s or published is not null)
  returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
    created_at, created_by, updated_at, updated_by, paused_at, draining_at
)
select changed.* from changed, (select pg_notify('junctor_wake', '')) w

-- name: pause
-- Again is as once: it stays paused since the first time.
update scenarios set paused_at = coalesce(paused_at, now()),
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision) and active
returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
  created_at, created_by, updated_at, updated_by, paused_at, draining_at

-- name: proceed
-- Neither paused nor draining any more; workers are woken.
with changed as (
  update scenarios set paused_at = null, draining_at = null,
    revision = revision + 1, updated_at = now(), updated_by = %(actor)s
  where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision) and active
  returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
    created_at, created_by, updated_at, updated_by, paused_at, draining_at
)
select changed.* from changed, (select pg_notify('junctor_wake', '')) w

-- name: drain
-- A paused one goes on, as it could never be worked off.
with changed as (
  update scenarios set paused_at = null, draining_at = coalesce(draining_at, now()),
    revision = revision + 1, updated_at = now(), updated_by = %(actor)s
  where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision) and active
  returning organization_id, id, team_id, name, active, draft, published, detail, retention, confidential, revision,
    created_at, created_by, updated_at, updated_by, paused_at, draining_at
)
select changed.* from changed, (select pg_notify('junctor_wake', '')) w

-- name: delete_scenario
delete from scenarios where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision) and not active
returning name

-- name: forget_deliveries
-- A scenario that goes takes what waits for it along; the audit log keeps the number.
with gone as (
  delete from inbox where organization_id = %(organization)s and scenario_id = %(id)s returning 1
), released as (
  delete from backlog where organization_id = %(organization)s and scenario_id = %(id)s
), stopped as (
  update runs set state = 'discarded', wait_reason = null, due_at = null, ended_at = coalesce(ended_at, now())
  where organization_id = %(organization)s and scenario_id = %(id)s
    and state in ('waiting', 'incomplete', 'uncertain')
), over as (
  update waits set closed_at = now(), watching = false
  where organization_id = %(organization)s and closed_at is null and run_id in (
    select id from runs where organization_id = %(organization)s and scenario_id = %(id)s
      and state in ('waiting', 'incomplete', 'uncertain'))
)
select count(*)::int from gone

-- name: versions
select scenario_id, version, created_at, created_by from scenario_versions
where organization_id = %(organization)s and scenario_id = %(scenario)s
  and version < coalesce(%(before)s, 2147483647)
order by version desc limit %(limit)s

-- name: version
select scenario_id, version, created_at, created_by, blueprint, bindings from scenario_versions
where organization_id = %(organization)s and scenario_id = %(scenario)s and version = %(version)s

-- name: create_connection
insert into connections (organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(name)s, %(connector)s, %(kind)s, %(base_url)s, %(settings)s,
  %(sealed)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, tested_at, test_error,
  revision, created_at, created_by, updated_at, updated_by

-- name: connections
select organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, tested_at, test_error,
  revision, created_at, created_by, updated_at, updated_by
from connections
where organization_id = %(organization)s and (%(connector)s::text is null or connector = %(connector)s)
  and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: connection
select organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, tested_at, test_error,
  revision, created_at, created_by, updated_at, updated_by
from connections where organization_id = %(organization)s and id = %(id)s

-- name: update_connection
-- A new secret or address is untested.
update connections set name = coalesce(%(name)s, name), base_url = coalesce(%(base_url)s, base_url),
  settings = coalesce(%(settings)s, settings), sealed = coalesce(%(sealed)s, sealed),
  tested_at = case when %(sealed)s::bytea is null then tested_at end,
  test_error = case when %(sealed)s::bytea is null then test_error end,
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
  and (%(sealed)s::bytea is not null or base_url = coalesce(%(base_url)s, base_url))
returning organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, tested_at, test_error,
  revision, created_at, created_by, updated_at, updated_by

-- name: note_test
-- Keeps the revision: a test is no edit, and must not refuse one that goes on meanwhile.
update connections set tested_at = now(), test_error = %(error)s
where organization_id = %(organization)s and id = %(id)s
returning organization_id, id, team_id, name, connector, kind, base_url, settings, sealed, tested_at, test_error,
  revision, created_at, created_by, updated_at, updated_by

-- name: connection_users
-- Hooks, and scenarios whose draft or published version names the connection.
select 'the hook ' || name from hooks where organization_id = %(organization)s and connection_id = %(id)s
union all
select 'the scenario ' || s.name from scenarios s
where s.organization_id = %(organization)s and exists (
  select from scenario_versions v, jsonb_each_text(coalesce(v.bindings -> 'connections', '{}')) b
  where v.organization_id = s.organization_id and v.scenario_id = s.id
    and v.version in (s.draft, s.published) and b.value = %(id)s::text)
limit 5

-- name: delete_connection
delete from connections where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning name

-- name: create_hook
insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id,
  settings, sealed, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(scenario)s, %(module)s, %(name)s, %(connector)s, %(kind)s, %(token)s,
  %(connection)s, %(settings)s, %(sealed)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by

-- name: hooks
select organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by
from hooks
where organization_id = %(organization)s and (%(scenario)s::uuid is null or scenario_id = %(scenario)s)
  and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: hook
select organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by
from hooks where organization_id = %(organization)s and id = %(id)s

-- name: update_hook
update hooks set name = coalesce(%(name)s, name), settings = coalesce(%(settings)s, settings),
  sealed = coalesce(%(sealed)s, sealed), enabled = coalesce(%(enabled)s, enabled),
  connection_id = coalesce(%(connection)s, connection_id),
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by

-- name: bind_hook
update hooks set scenario_id = %(scenario)s, module = %(module)s,
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by

-- name: note_registration
-- Keeps the revision, as a test does.
update hooks set registration = %(registration)s, registration_error = %(error)s
where organization_id = %(organization)s and id = %(id)s
returning organization_id, id, team_id, scenario_id, module, name, connector, kind, token, connection_id, settings,
  sealed, registration, registration_error, enabled, refused, revision, created_at, created_by, updated_at, updated_by

-- name: delete_hook
delete from hooks where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning name

-- name: runs
select organization_id, id, scenario_id, version, retention, order_key, state, wait_reason, due_at, trigger, actor,
  started_at, ended_at, operations, bytes, segments, error, failed_module, dropped, name, warnings,
  origin, edited, skipped
from runs
where organization_id = %(organization)s and (%(scenario)s::uuid is null or scenario_id = %(scenario)s)
  and (%(states)s::text[] = '{}' or state = any(%(states)s)) and (%(before)s::uuid is null or id < %(before)s)
  and (%(name)s::text is null or strpos(lower(name), lower(%(name)s)) > 0)
order by id desc limit %(limit)s

-- name: run
select organization_id, id, scenario_id, version, retention, order_key, state, wait_reason, due_at, trigger, actor,
  started_at, ended_at, operations, bytes, segments, error, failed_module, dropped, name, warnings,
  origin, edited, skipped
from runs where organization_id = %(organization)s and id = %(id)s

-- name: answer
select status, headers, body from answers where organization_id = %(organization)s and delivery_id = %(run)s

-- name: segments
select seq, data, blobs from segments
where organization_id = %(organization)s and run_id = %(run)s and seq > %(after)s order by seq limit %(limit)s

-- name: queues
select coalesce(i.scenario_id, b.scenario_id) as scenario_id, coalesce(i.order_key, b.order_key) as order_key,
  coalesce(i.deliveries, 0) as deliveries, coalesce(i.parked, 0) as parked, i.oldest_at, b.blocked_by_run,
  b.due_at, b.owner, r.state as blocked_state, r.error as blocked_error, r.failed_module as blocked_module,
  r.started_at as blocked_since
from (
  select scenario_id, order_key, count(*) filter (where parked_at is null) as deliveries,
    count(*) filter (where parked_at is not null) as parked, min(received_at) as oldest_at
  from inbox
  where organization_id = %(organization)s and (%(scenario)s::uuid is null or scenario_id = %(scenario)s)
  group by 1, 2
) i
full join (
  select scenario_id, order_key, blocked_by_run, due_at,
    case when lease_until > clock_timestamp() then owner end as owner
  from backlog
  where organization_id = %(organization)s and (%(scenario)s::uuid is null or scenario_id = %(scenario)s)
) b on b.scenario_id = i.scenario_id and b.order_key = i.order_key
left join runs r on r.organization_id = %(organization)s and r.id = b.blocked_by_run
where (i.scenario_id is not null or b.blocked_by_run is not null)
  and (%(free)s::boolean is null or (b.blocked_by_run is null, coalesce(i.oldest_at, 'infinity'),
      coalesce(i.scenario_id, b.scenario_id), coalesce(i.order_key, b.order_key))
    > (%(free)s, coalesce(%(oldest)s::timestamptz, 'infinity'), %(after)s::uuid, %(key)s::text))
order by b.blocked_by_run is null, coalesce(i.oldest_at, 'infinity'), 1, 2 limit %(limit)s

-- name: create_store
insert into data_stores (organization_id, id, team_id, name, structure_id, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(name)s, %(structure)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, name, structure_id, revision, created_at, updated_at

-- name: stores
select organization_id, id, team_id, name, structure_id, revision, created_at, updated_at from data_stores
where organization_id = %(organization)s and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: store
select organization_id, id, team_id, name, structure_id, revision, created_at, updated_at from data_stores
where organization_id = %(organization)s and id = %(id)s

-- name: update_store
update data_stores set name = coalesce(%(name)s, name),
  structure_id = case when %(unbind)s then null else coalesce(%(structure)s, structure_id) end,
  revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, name, structure_id, revision, created_at, updated_at

-- name: bound_users
-- Scenarios whose draft or published version has a module bound to something (a data store, a structure).
select s.name from scenarios s
where s.organization_id = %(organization)s and exists (
  select from scenario_versions v, jsonb_each_text(coalesce(v.bindings -> %(kind)s, '{}')) b
  where v.organization_id = s.organization_id and v.scenario_id = s.id and v.version in (s.draft, s.published)
    and b.value = %(id)s::text)
order by s.name limit 5

-- name: delete_store
delete from data_stores where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning name

-- name: put_record
insert into data_store_records (organization_id, store_id, key, data, updated_by)
values (%(organization)s, %(store)s, %(key)s, %(data)s, %(actor)s)
on conflict (organization_id, store_id, key) do update
  set data = excluded.data, updated_at = now(), updated_by = excluded.updated_by
returning key, data, updated_at, updated_by

-- name: put_records
insert into data_store_records (organization_id, store_id, key, data, updated_by)
select %(organization)s, %(store)s, n.key, n.data::jsonb, %(actor)s
from unnest(%(keys)s::text[], %(data)s::text[]) n(key, data)
on conflict (organization_id, store_id, key) do update
  set data = excluded.data, updated_at = now(), updated_by = excluded.updated_by

-- name: record
select key, data, updated_at, updated_by from data_store_records
where organization_id = %(organization)s and store_id = %(store)s and key = %(key)s

-- name: records
select key, data, updated_at, updated_by from data_store_records
where organization_id = %(organization)s and store_id = %(store)s
  and key > coalesce(%(after)s::text, '')
order by key limit %(limit)s

-- name: delete_record
delete from data_store_records
where organization_id = %(organization)s and store_id = %(store)s and key = %(key)s
returning key

-- name: create_variable
insert into variables (organization_id, id, team_id, name, value, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(name)s, %(value)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, name, value, revision, created_at, created_by, updated_at, updated_by

-- name: variables
select organization_id, id, team_id, name, value, revision, created_at, created_by, updated_at, updated_by from variables
where organization_id = %(organization)s and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: variable
select organization_id, id, team_id, name, value, revision, created_at, created_by, updated_at, updated_by from variables
where organization_id = %(organization)s and id = %(id)s

-- name: update_variable
update variables set value = %(value)s, revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, name, value, revision, created_at, created_by, updated_at, updated_by

-- name: delete_variable
delete from variables where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning name

-- name: count_records
select count(*) from data_store_records where organization_id = %(organization)s and store_id = %(store)s

-- name: clear_records
with gone as (
  delete from data_store_records where organization_id = %(organization)s and store_id = %(store)s returning 1
)
select count(*) from gone

-- name: create_structure
insert into data_structures (organization_id, id, team_id, name, spec, strict, created_by, updated_by)
values (%(organization)s, %(id)s, %(team)s, %(name)s, %(spec)s, %(strict)s, %(actor)s, %(actor)s)
returning organization_id, id, team_id, name, spec, strict, revision, created_at, updated_at

-- name: structures
select organization_id, id, team_id, name, spec, strict, revision, created_at, updated_at from data_structures
where organization_id = %(organization)s and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: structure
select organization_id, id, team_id, name, spec, strict, revision, created_at, updated_at from data_structures
where organization_id = %(organization)s and id = %(id)s

-- name: update_structure
update data_structures set name = coalesce(%(name)s, name), spec = coalesce(%(spec)s, spec),
  strict = coalesce(%(strict)s, strict), revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, team_id, name, spec, strict, revision, created_at, updated_at

-- name: structure_stores
select name from data_stores where organization_id = %(organization)s and structure_id = %(id)s order by name limit 5

-- name: delete_structure
delete from data_structures where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning name

-- name: app_hook_of
select organization_id, id, connector, app, token, settings, enabled, delivered, unwanted, refused, refused_reason, last_at,
  revision, created_at, created_by, updated_at, updated_by
from app_hooks where organization_id = %(organization)s and connector = %(connector)s and app = %(app)s

-- name: create_app_hook
insert into app_hooks (organization_id, id, connector, app, token, created_by, updated_by)
values (%(organization)s, %(id)s, %(connector)s, %(app)s, %(token)s, %(actor)s, %(actor)s)
on conflict (organization_id, connector, app) do nothing
returning organization_id, id, connector, app, token, settings, enabled, delivered, unwanted, refused, refused_reason, last_at,
  revision, created_at, created_by, updated_at, updated_by

-- name: app_hooks
select organization_id, id, connector, app, token, settings, enabled, delivered, unwanted, refused, refused_reason, last_at,
  revision, created_at, created_by, updated_at, updated_by
from app_hooks where organization_id = %(organization)s order by id

-- name: app_hook
select organization_id, id, connector, app, token, settings, enabled, delivered, unwanted, refused, refused_reason, last_at,
  revision, created_at, created_by, updated_at, updated_by
from app_hooks where organization_id = %(organization)s and id = %(id)s

-- name: update_app_hook
-- Another generation: what a server still keeps of it is out of date.
update app_hooks set settings = coalesce(%(settings)s, settings), enabled = coalesce(%(enabled)s, enabled),
  generation = generation + 1, revision = revision + 1, updated_at = now(), updated_by = %(actor)s
where organization_id = %(organization)s and id = %(id)s and revision = coalesce(%(revision)s, revision)
returning organization_id, id, connector, app, token, settings, enabled, delivered, unwanted, refused, refused_reason, last_at,
  revision, created_at, created_by, updated_at, updated_by

-- name: delete_app_hook
delete from app_hooks where organization_id = %(organization)s and id = %(id)s
  and revision = coalesce(%(revision)s, revision)
returning connector || ' ' || app
