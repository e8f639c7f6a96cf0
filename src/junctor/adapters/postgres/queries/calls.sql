-- Scenarios that call scenarios, and what runs read at their start. Role junctor_engine.

-- name: custom_variables
-- The organisation's variables and those of the scenario's team.
select v.team_id is not null, v.name, v.value
from variables v join scenarios s on s.organization_id = v.organization_id and s.id = %(scenario)s
where v.organization_id = %(organization)s and (v.team_id is null or v.team_id = s.team_id)

-- name: callee
-- The scenario to be called, and whether the call was made before.
select s.name, s.active, s.published,
  exists (select from inbox i where i.organization_id = s.organization_id and i.id = %(run)s),
  (select r.state from runs r where r.organization_id = s.organization_id and r.id = %(run)s)
from scenarios s where s.organization_id = %(organization)s and s.id = %(scenario)s

-- name: standing
-- Those of these runs that are not over, and the order keys that they stand under. One that runs may
-- have no row yet; one that has stopped keeps its place.
select w.id, coalesce(r.order_key, i.order_key)
from unnest(%(runs)s::uuid[]) w(id)
left join inbox i on i.organization_id = %(organization)s and i.id = w.id
left join runs r on r.organization_id = %(organization)s and r.id = w.id
where coalesce(r.state not in ('finished', 'discarded'), i.id is not null)

-- name: lock_call
-- Two workers may believe that they own the caller: only one at a time looks and inserts.
select pg_advisory_xact_lock(hashtextextended(%(run)s::uuid::text, 20021))

-- name: hold_call
-- While we hold its delivery, the called run can't end; if it has ended, the next statement sees it.
select 1 from inbox where organization_id = %(organization)s and id = %(run)s for share

-- name: begin_call
-- Says whether there is a call, now or from before: the scenario may have been deleted since it was
-- looked up, and its caller would wait for ever.
with callee as materialized (
  select from scenarios where organization_id = %(organization)s and id = %(scenario)s for key share
), stored as (
  insert into inbox (organization_id, id, scenario_id, order_key, payload, server)
  select %(organization)s, %(run)s, %(scenario)s, %(order_key)s, %(payload)s, '' from callee
  where not exists (select from runs where organization_id = %(organization)s and id = %(run)s)
  on conflict do nothing
  returning organization_id, scenario_id, order_key
), signal as (
  insert into backlog as b (organization_id, scenario_id, order_key)
  select organization_id, scenario_id, order_key from stored
  on conflict (organization_id, scenario_id, order_key) do update
    set n = b.n + 1, idle = false,
        oldest_at = case when b.idle then clock_timestamp() else b.oldest_at end
)
select exists (select from callee)
  or exists (select from inbox where organization_id = %(organization)s and id = %(run)s)
  or exists (select from runs where organization_id = %(organization)s and id = %(run)s),
  (select pg_notify('junctor_wake', '') from stored)

-- name: forget_failure
-- A run that goes on may still answer; its first failure was not the last word.
delete from answers where organization_id = %(organization)s and delivery_id = %(run)s and status >= 500

-- name: ends
-- Those of these runs that have ended, and what they answered. `old`: an answer may be forgotten, a
-- confidential run's sooner (see `wipe_answers`).
select w.id, r.state, r.error, a.status, a.headers, a.body,
  r.started_at < clock_timestamp() - interval '55 minutes'
    or coalesce(r.wiped_at < clock_timestamp() - interval '4 minutes', false) as old
from unnest(%(organizations)s::uuid[], %(runs)s::uuid[]) w(organization_id, id)
join runs r on r.organization_id = w.organization_id and r.id = w.id
left join answers a on a.organization_id = w.organization_id and a.delivery_id = w.id
where r.state in ('finished', 'incomplete', 'uncertain', 'discarded')
