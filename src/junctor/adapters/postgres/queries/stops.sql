-- Runs that somebody wants to end: asked for, looked for by workers, done. And runs left behind.

-- name: stop
-- One that only waits has ended when this is committed, unless a worker may be at it just now, as it
-- is due: then that one ends it, and until it has, nobody may do it again. (A wait for a delivery is
-- due some seconds ahead while its worker looks back.) `was`: what the run's row said, if it has one.
with r as (
  select organization_id, id, retention, scenario_id, order_key, state,
    coalesce(due_at < clock_timestamp() + interval '20 seconds', false) as due
  from runs where organization_id = %(organization)s and id = %(run)s
  for update
), line as materialized (  -- locked, so that nobody takes it meanwhile; and read after that
  select b.lease_until >= clock_timestamp() as owned from r join backlog b on b.organization_id = r.organization_id
    and b.scenario_id = r.scenario_id and b.order_key = r.order_key
  where r.due for no key update of b
), owned as (
  select 1 from line where owned
), queued as (
  select 1 from inbox where organization_id = %(organization)s and id = %(run)s
), wanted as (
  insert into stops (organization_id, run_id, keep, actor)
  select %(organization)s, %(run)s, %(keep)s, %(actor)s
  where exists (select from r where state = 'running')
    or (exists (select from r where state in ('waiting', 'incomplete')) and exists (select from owned))
    or (exists (select from queued) and not exists (select from r))
  on conflict (organization_id, run_id) do update set keep = excluded.keep, actor = excluded.actor
  returning run_id
), ended as (
  update runs u set
    state = case when %(keep)s then 'incomplete' else 'discarded' end, wait_reason = null, due_at = null,
    ended_at = coalesce(u.ended_at, clock_timestamp())
  from r where u.organization_id = r.organization_id and u.id = r.id and u.retention = r.retention
    and r.state in ('waiting', 'incomplete') and not exists (select from owned)
  returning u.organization_id, u.id, u.scenario_id, u.order_key
), closed as (
  update waits w set closed_at = coalesce(w.closed_at, clock_timestamp()), watching = false
  from ended e where w.organization_id = e.organization_id and w.run_id = e.id and not %(keep)s and w.closed_at is null
), stilled as (  -- retried, the run looks back and waits on; what comes until then starts its own scenario
  update waits w set watching = false, looked = false
  from ended e where w.organization_id = e.organization_id and w.run_id = e.id and %(keep)s
    and w.kind = 'delivery' and w.closed_at is null and w.answered_at is null
), dropped as (
  delete from inbox i using ended e
  where i.organization_id = e.organization_id and i.id = e.id and not %(keep)s
), freed as (
  update backlog b set n = b.n + 1, idle = false,
    due_at = (select min(w.due_at) from runs w where w.organization_id = b.organization_id
      and w.scenario_id = b.scenario_id and w.order_key = b.order_key
      and w.state in ('waiting', 'incomplete') and w.id <> e.id),
    blocked_by_run = case when b.blocked_by_run = e.id and not %(keep)s
      then next_blocker(e.organization_id, e.scenario_id, e.order_key, e.id) else b.blocked_by_run end
  from ended e
  where b.organization_id = e.organization_id and b.scenario_id = e.scenario_id and b.order_key = e.order_key
)
select (select state from r) as was, exists (select from wanted) or exists (select from ended) as wanted,
  pg_notify('junctor_stop', ''), pg_notify('junctor_wake', '')

-- name: in_flight
-- Runs of a scenario that a worker is at, or was: begun in the last days, and not ended.
select id from runs
where organization_id = %(organization)s and scenario_id = %(scenario)s and state = 'running'
  and id > uuid7_floor(now() - interval '2 days')
order by id limit %(limit)s

-- name: wanted_stops
-- All there are: few, and each only until its run has ended. `left`: the run left its worker, to wait,
-- before that one had heard of it, so nobody is at it.
select s.organization_id, s.run_id, s.keep, s.actor, exists (
  select from runs r where r.organization_id = s.organization_id and r.id = s.run_id
    and r.state in ('waiting', 'incomplete') and r.due_at > clock_timestamp() + interval '20 seconds') as left
from stops s limit 10000

-- name: stopped
delete from stops
where (organization_id, run_id) in (select * from unnest(%(organizations)s::uuid[], %(runs)s::uuid[]))
returning run_id

-- name: forget_stops
-- Of runs that had ended before they heard of it.
delete from stops s where created_at < now() - interval '1 minute' and (
  created_at < now() - interval '1 day'
  or not exists (select from runs r where r.organization_id = s.organization_id and r.id = s.run_id
      and (r.state = 'running' or (r.state in ('waiting', 'incomplete') and r.due_at < now())
        or exists (  -- given up, and a worker may still be at it
          select from backlog b where b.organization_id = r.organization_id and b.scenario_id = r.scenario_id
            and b.order_key = r.order_key and b.fence > 0 and b.lease_until > clock_timestamp())))
    and not exists (select from inbox i where i.organization_id = s.organization_id and i.id = s.run_id))

-- name: skip
-- What stands behind a stopped run goes on without it; the run stays as it is.
with r as (
  update runs set skipped = true
  where organization_id = %(organization)s and id = %(run)s
    and state in ('incomplete', 'uncertain', 'waiting') and not skipped
  returning organization_id, id, scenario_id, order_key
), freed as (
  update backlog b set n = b.n + 1, idle = false,
    blocked_by_run = next_blocker(r.organization_id, r.scenario_id, r.order_key, r.id)
  from r
  where b.organization_id = r.organization_id and b.scenario_id = r.scenario_id
    and b.order_key = r.order_key and b.blocked_by_run = r.id
  returning b.scenario_id
)
select r.id, exists (select from freed), pg_notify('junctor_wake', '') from r

-- name: drained
-- Draining scenarios with nothing left: no delivery, nobody at work, no wait. What stopped for good
-- (incomplete, uncertain) stays for a person; deliveries that stand behind such a run are left.
select s.organization_id, s.id from scenarios s
where s.draining_at is not null and s.active
  and not exists (select from inbox i where i.organization_id = s.organization_id
    and i.scenario_id = s.id and i.parked_at is null)
  and not exists (select from backlog b where b.organization_id = s.organization_id
    and b.scenario_id = s.id and (b.fence > 0 and b.lease_until > clock_timestamp() or b.due_at is not null))
