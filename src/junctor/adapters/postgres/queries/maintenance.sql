-- Housekeeping, role junctor_engine. Deletes go in batches of `batch` rows, so that none holds locks
-- or a snapshot for long; each says how many it took.

-- name: today
select (now() at time zone 'UTC')::date

-- name: ensure_partitions
select ensure_partitions(%(first)s, %(days)s)

-- name: old_partitions
select day from old_partitions(%(class)s, %(before)s)

-- name: drop_partitions
select drop_partitions(%(class)s, %(day)s)

-- name: keep_runs
-- Unfinished runs leave before their day is dropped, with their journal. One that a worker is at just
-- now stays till the next turn, and its day with it: it writes where it has begun to.
with chosen as (
  select r.organization_id, r.id from runs r
  where r.retention = %(class)s and r.id < uuid7_floor(%(before)s) and r.state not in ('finished', 'discarded')
    and not exists (select from backlog b where b.organization_id = r.organization_id
      and b.scenario_id = r.scenario_id and b.order_key = r.order_key and b.lease_until > clock_timestamp()
      and (r.state = 'running' or r.due_at < clock_timestamp() + interval '1 minute'))
  limit %(batch)s for update of r skip locked
), moved as (
  update runs r set retention = 'kept' from chosen c
  where r.retention = %(class)s and r.organization_id = c.organization_id and r.id = c.id
  returning r.organization_id, r.id
), journal as (
  update segments s set retention = 'kept' from moved m
  where s.retention = %(class)s and s.organization_id = m.organization_id and s.run_id = m.id
)
select count(*) from moved

-- name: keep_segments
-- The journal of a delivery that still waits stays too: without it, its effects would be repeated.
update segments s set retention = 'kept' from inbox i
where s.retention = %(class)s and s.run_id < uuid7_floor(%(before)s) and i.id < uuid7_floor(%(before)s)
  and s.organization_id = i.organization_id and s.run_id = i.id

-- name: forget_runs
-- What lies in no day's partition.
delete from runs where retention = %(class)s and (organization_id, id) in (
  select organization_id, id from runs
  where retention = %(class)s and id < uuid7_floor(%(before)s) and state in ('finished', 'discarded')
  limit %(batch)s)

-- name: forget_segments
delete from segments where retention = %(class)s and (organization_id, run_id, seq) in (
  select s.organization_id, s.run_id, s.seq from segments s
  where s.retention = %(class)s and s.run_id < uuid7_floor(%(before)s)
    and not exists (select from runs r where r.organization_id = s.organization_id and r.id = s.run_id)
    and not exists (select from inbox i where i.organization_id = s.organization_id and i.id = s.run_id)
  limit %(batch)s)

-- name: forget_kept_runs
-- Kept ones that ended since stay as long as their scenario says, from their end.
delete from runs where retention = 'kept' and (organization_id, id) in (
  select r.organization_id, r.id from runs r
  left join scenarios s on s.organization_id = r.organization_id and s.id = r.scenario_id
  where r.retention = 'kept' and r.state in ('finished', 'discarded')
    and r.ended_at < now() - make_interval(days => case coalesce(s.retention, 'standard')
      when 'short' then %(short)s when 'long' then %(long)s else %(standard)s end)
  limit %(batch)s)

-- name: organizations
select organization_id from organizations

-- name: forget_blobs
-- Values of runs that are gone.
delete from blobs where organization_id = %(organization)s and (owner, id) in (
  select b.owner, b.id from blobs b
  where b.organization_id = %(organization)s and b.owner < uuid7_floor(%(before)s)
    and not exists (select from runs r where r.organization_id = b.organization_id and r.id = b.owner)
    and not exists (select from inbox i where i.organization_id = b.organization_id and i.id = b.owner)
  limit %(batch)s)

-- name: forget_seen
delete from seen where (organization_id, hook_id, key) in (
  select organization_id, hook_id, key from seen where seen_at < now() - interval '7 days' limit %(batch)s)

-- name: forget_answers
delete from answers where (organization_id, delivery_id) in (
  select organization_id, delivery_id from answers
  where created_at < now() - interval '1 hour' limit %(batch)s)

-- name: forget_waits
-- As long as its run may be replayed, it is what the run goes on with.
delete from waits where (organization_id, id) in (
  select w.organization_id, w.id from waits w
  where coalesce(w.closed_at, w.until) < now() - interval '7 days' and not exists (
    select from runs r where r.organization_id = w.organization_id and r.id = w.run_id
      and r.state not in ('finished', 'discarded')) limit %(batch)s)

-- name: forget_idempotency
delete from idempotency where (organization_id, key) in (
  select organization_id, key from idempotency
  where created_at < now() - interval '24 hours' limit %(batch)s)

-- name: forget_orphans
-- What a release that did not look had stored for a scenario that was just deleted: nobody ever takes it.
with lost as (
  select i.organization_id, i.id, i.scenario_id from inbox i
  where not exists (
    select from scenarios s where s.organization_id = i.organization_id and s.id = i.scenario_id)
  limit %(batch)s
), lines as (
  delete from backlog b using lost l
  where b.organization_id = l.organization_id and b.scenario_id = l.scenario_id
)
delete from inbox i using lost l where i.organization_id = l.organization_id and i.id = l.id

-- name: wake_forgotten
-- Runs that are due and that no row of the backlog knows of: there should be none.
with r as (
  select distinct organization_id, scenario_id, order_key from runs
  where state in ('waiting', 'incomplete') and due_at < now() - interval '1 minute'
), lost as (
  select r.* from r left join backlog b on b.organization_id = r.organization_id
    and b.scenario_id = r.scenario_id and b.order_key = r.order_key
  where b.due_at is null and coalesce(b.fence, 0) = 0
)
insert into backlog as b (organization_id, scenario_id, order_key, idle, due_at)
select organization_id, scenario_id, order_key, true, now() from lost order by 1, 2, 3
on conflict (organization_id, scenario_id, order_key) do update set n = b.n + 1, due_at = now()

-- name: wake_stranded
-- Deliveries that stand in no line: there should be none. Somebody may have begun them, so they are
-- left as a dead worker leaves them: its heir reads back what was done.
with lost as (
  select i.organization_id, i.scenario_id, i.order_key
  from (select distinct organization_id, scenario_id, order_key from inbox where parked_at is null) i
  left join backlog b on b.organization_id = i.organization_id
    and b.scenario_id = i.scenario_id and b.order_key = i.order_key
  where b.scenario_id is null or (b.idle and b.fence = 0)
)
insert into backlog as b (organization_id, scenario_id, order_key, lease_until)
select organization_id, scenario_id, order_key, now() from lost order by 1, 2, 3
on conflict (organization_id, scenario_id, order_key) do update
  set n = b.n + 1, idle = false, lease_until = excluded.lease_until
  where b.idle and b.fence = 0

-- name: free_lines
-- Lines that stand behind a run that is over, gone or left behind: there should be none. They go on, or
-- stand behind the next that has stopped. What a worker owns, it looks through as it gives it back.
with stuck as (
  select b.organization_id, b.scenario_id, b.order_key from backlog b
  where b.blocked_by_run is not null and b.lease_until < clock_timestamp() and not exists (
    select from runs r where r.organization_id = b.organization_id and r.id = b.blocked_by_run
      and r.state not in ('finished', 'discarded') and not r.skipped)
  order by 1, 2, 3 for no key update of b
)
update backlog b set n = b.n + 1, idle = false,
  blocked_by_run = next_blocker(b.organization_id, b.scenario_id, b.order_key, null)
from stuck s
where b.organization_id = s.organization_id and b.scenario_id = s.scenario_id and b.order_key = s.order_key

-- name: forget_idle
-- Rows of order keys with nothing to do and nothing to wait for. A release takes them away; these are
-- of a process of the release before, or of a run that ended some other way.
delete from backlog where (organization_id, scenario_id, order_key) in (
  select organization_id, scenario_id, order_key from backlog
  where idle and due_at is null and blocked_by_run is null and fence = 0 and lease_until = '-infinity'
  limit %(batch)s for update skip locked)

-- name: forget_nodes
delete from nodes where seen_at < now() - interval '1 day' and role <> 'door'
