-- Runs done again: stopped ones with other bundles, and new ones that begin with what others did.

-- name: hold
-- Keeps workers away from a backlog for this transaction; whether one owns it now.
select lease_until >= clock_timestamp() as owned from backlog
where organization_id = %(organization)s and scenario_id = %(scenario)s and order_key = %(order_key)s
for update

-- name: stopped
-- A run that may be changed: how far its journal is, and whether a worker may be at it just now.
select r.state, r.retention, r.due_at <= clock_timestamp() + interval '5 seconds' as soon,
  (select coalesce(max(s.seq), -1) + 1 from segments s
   where s.organization_id = r.organization_id and s.run_id = r.id) as seq
from runs r where r.organization_id = %(organization)s and r.id = %(run)s
for update

-- name: forget
-- Whoever was at it, and has not come back, can write nothing any more.
update backlog set fence = 0
where organization_id = %(organization)s and scenario_id = %(scenario)s and order_key = %(order_key)s

-- name: append
insert into segments (organization_id, run_id, retention, seq, data, blobs)
values (%(organization)s, %(run)s, %(retention)s, %(seq)s, %(data)s, %(blobs)s::bytea[])

-- name: edited
-- The run goes on with the bundles that its journal says by now.
update runs set state = 'waiting', wait_reason = 'time', due_at = clock_timestamp(), edited = true,
  segments = segments + 1
where organization_id = %(organization)s and id = %(run)s

-- name: begin
-- A run that a worker goes on with as if it had begun it.
insert into runs (organization_id, id, retention, scenario_id, version, order_key, state, wait_reason, due_at,
  trigger, actor, started_at, segments, origin, edited)
values (%(organization)s, %(run)s, %(retention)s, %(scenario)s, %(version)s, %(order_key)s, 'waiting', 'time',
  clock_timestamp(), 'replay', %(actor)s, clock_timestamp(), %(segments)s, %(origin)s, %(edited)s)

-- name: supersede
-- Another run takes the place of a stopped one, also in front of what stands behind it.
with r as (
  update runs set state = 'discarded', wait_reason = null, due_at = null,
    ended_at = coalesce(ended_at, clock_timestamp())
  where organization_id = %(organization)s and id = %(run)s
  returning organization_id, id, scenario_id, order_key
), dropped as (
  delete from inbox i using r where i.organization_id = r.organization_id and i.id = r.id
)
update backlog b set blocked_by_run = %(by)s from r
where b.organization_id = r.organization_id and b.scenario_id = r.scenario_id and b.order_key = r.order_key
  and b.blocked_by_run = r.id

-- name: end_waits
-- What it waited for is over, and the link of its question free for that run's. Whether it has been
-- answered, and has not gone on yet.
update waits set closed_at = clock_timestamp(), watching = false, token_hash = null
where organization_id = %(organization)s and run_id = %(run)s and closed_at is null
returning answered_at is not null

-- name: wake
insert into backlog as b (organization_id, scenario_id, order_key, idle, due_at)
values (%(organization)s, %(scenario)s, %(order_key)s, true, clock_timestamp())
on conflict (organization_id, scenario_id, order_key) do update set n = b.n + 1, due_at = clock_timestamp()
returning pg_notify('junctor_wake', '')

-- name: matching
-- Stopped runs that a filter finds, oldest first.
select r.id from runs r
where r.organization_id = %(organization)s and r.state = any(%(states)s)
  and (%(scenario)s::uuid is null or r.scenario_id = %(scenario)s)
  and (%(error)s::text is null or r.error->>'type' = %(error)s or r.error->>'code' = %(error)s)
  and (%(since)s::timestamptz is null or r.started_at >= %(since)s)
  and (%(ids)s::uuid[] is null or r.id = any(%(ids)s))
order by r.id limit %(limit)s

-- name: last_runs
-- The newest runs of a scenario that have ended, with what is needed to tell them again.
select id, version, warnings, started_at, segments from runs
where organization_id = %(organization)s and scenario_id = %(scenario)s
  and state in ('finished', 'incomplete', 'uncertain', 'discarded') and trigger <> 'replay'
  and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: journals
select run_id, seq, data, blobs from segments
where organization_id = %(organization)s and run_id = any(%(runs)s)
order by run_id, seq

-- name: wiped_at
-- When the run's journal was removed, if it was.
select wiped_at from runs where organization_id = %(organization)s and id = %(run)s
