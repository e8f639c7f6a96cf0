-- The hot path: deliveries in, ownership, what runs write. Arrays in, one statement each.
-- Every write of a run carries its claim's fence; a stale fence writes nothing.

-- name: accept
-- Remember dedup keys, store what is new, signal the backlogs, wake the workers: one commit.
-- Keys are taken in order, and DO UPDATE (never DO NOTHING) waits for a concurrent release, so
-- no wake-up is lost. What is for no scenario is not stored: the door may know one that was deleted a
-- moment ago. (One deleted in this very moment is like one deleted with a queue: `forget_orphans`.)
-- Returns the duplicates (our id, the first delivery's id), and what is for none (our id, null).
with given as (
  select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(scenarios)s::uuid[],
    %(order_keys)s::text[], %(hooks)s::uuid[], %(payloads)s::bytea[], %(keys)s::text[], %(servers)s::text[])
    as d(organization_id, id, scenario_id, order_key, hook_id, payload, key, server)
), there as materialized (
  select s.organization_id, s.id as scenario_id from scenarios s
  where (s.organization_id, s.id) in (select organization_id, scenario_id from given)
), good as (
  select g.* from given g join there t using (organization_id, scenario_id)
), first as (
  insert into seen as s (organization_id, hook_id, key, delivery_id)
  select organization_id, hook_id, key, id from good where key is not null order by 1, 2, 3
  on conflict (organization_id, hook_id, key) do update
    set duplicates = s.duplicates + 1, last_duplicate_at = now()
  returning organization_id, hook_id, key, delivery_id
), stored as (
  insert into inbox (organization_id, id, scenario_id, order_key, hook_id, payload, server)
  select g.organization_id, g.id, g.scenario_id, g.order_key, g.hook_id, g.payload, g.server
  from good g left join first f on f.delivery_id = g.id
  where g.key is null or f.delivery_id is not null
  on conflict do nothing  -- the same batch again, after a lost connection
  returning organization_id, scenario_id, order_key
), signal as (
  insert into backlog as b (organization_id, scenario_id, order_key)
  select distinct organization_id, scenario_id, order_key from stored order by 1, 2, 3
  on conflict (organization_id, scenario_id, order_key) do update
    set n = b.n + 1, idle = false,
        oldest_at = case when b.idle then clock_timestamp() else b.oldest_at end
), told as (
  select g.id, f.delivery_id
  from good g join first f
    on f.organization_id = g.organization_id and f.hook_id = g.hook_id and f.key = g.key
    and f.delivery_id <> g.id
  union all
  select g.id, null from given g left join there t using (organization_id, scenario_id)
  where t.scenario_id is null
)
select told.id, told.delivery_id from (select pg_notify('junctor_wake', '')) w left join told on true

-- name: accept_plain
-- The same for a batch without dedup keys.
with given as (
  select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(scenarios)s::uuid[],
    %(order_keys)s::text[], %(hooks)s::uuid[], %(payloads)s::bytea[], %(servers)s::text[])
    as d(organization_id, id, scenario_id, order_key, hook_id, payload, server)
), there as materialized (
  select s.organization_id, s.id as scenario_id from scenarios s
  where (s.organization_id, s.id) in (select organization_id, scenario_id from given)
), stored as (
  insert into inbox (organization_id, id, scenario_id, order_key, hook_id, payload, server)
  select g.organization_id, g.id, g.scenario_id, g.order_key, g.hook_id, g.payload, g.server
  from given g join there t using (organization_id, scenario_id)
  on conflict do nothing  -- the same batch again, after a lost connection
  returning organization_id, scenario_id, order_key
), signal as (
  insert into backlog as b (organization_id, scenario_id, order_key)
  select distinct organization_id, scenario_id, order_key from stored order by 1, 2, 3
  on conflict (organization_id, scenario_id, order_key) do update
    set n = b.n + 1, idle = false,
        oldest_at = case when b.idle then clock_timestamp() else b.oldest_at end
), told as (
  select g.id from given g left join there t using (organization_id, scenario_id)
  where t.scenario_id is null
)
select told.id, null::uuid from (select pg_notify('junctor_wake', '')) w left join told on true

-- name: begun
-- Of a batch stored again after a lost connection, what was done meanwhile leaves the inbox again.
-- In the transaction that stored it, after it: the commit that ended such a run was waited for there,
-- and can be seen only now. What another transaction stored is a run's that goes on.
delete from inbox i using runs r
where (i.organization_id, i.id) in (select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[]))
  and i.xmin = pg_current_xact_id()::xid
  and r.organization_id = i.organization_id and r.id = i.id

-- name: claim
-- Take slices of several scenarios: as many from each organisation, and in it from each scenario,
-- so that a busy one can't take every place; of one scenario those that have waited longest. Where
-- there are more scenarios than places, chance decides: by age, those with much behind them would
-- always come first. A long line is not read: it jumps from scenario to scenario in it, so that a
-- million order keys, or a million deliveries of a scenario that is paused, cost no more than one.
-- Each part asks for an order that one index alone has, as a plan is kept while tables grow.
-- `crashed`: the last owner's lease ran out, so its deliveries may have been begun.
with recursive first as materialized (
  select organization_id, scenario_id from backlog
  where not idle and blocked_by_run is null and lease_until < clock_timestamp()
  order by organization_id, scenario_id, oldest_at limit 1500
), lines as (  -- scenarios with something in line, if there are more rows than that
  (select organization_id, scenario_id from backlog
    where (select count(*) from first) = 1500
      and not idle and blocked_by_run is null and lease_until < clock_timestamp()
    order by organization_id, scenario_id, oldest_at limit 1)
  union all
  select b.* from lines l cross join lateral (
    select organization_id, scenario_id from backlog
    where not idle and blocked_by_run is null and lease_until < clock_timestamp()
      and (organization_id, scenario_id) > (l.organization_id, l.scenario_id)
    order by organization_id, scenario_id, oldest_at limit 1) b
), waits as (  -- and with something that waits, or is due
  (select organization_id, scenario_id, due_at from backlog
    where due_at is not null order by organization_id, scenario_id, due_at limit 1)
  union all
  select b.* from waits l cross join lateral (
    select organization_id, scenario_id, due_at from backlog
    where due_at is not null and (organization_id, scenario_id) > (l.organization_id, l.scenario_id)
    order by organization_id, scenario_id, due_at limit 1) b
), ready as (
  select w.organization_id, w.scenario_id, scenario_runs(s) as runs
  from (
    select organization_id, scenario_id from first
    union select organization_id, scenario_id from lines
    union select organization_id, scenario_id from waits where due_at <= clock_timestamp()
  ) w
  join scenarios s on s.organization_id = w.organization_id and s.id = w.scenario_id
  where w.organization_id <> all(%(full)s::uuid[]) and w.scenario_id <> all(%(full)s::uuid[])
    and (scenario_runs(s) or (  -- what was started by hand runs all the same
      select true from backlog b where b.organization_id = w.organization_id
        and b.scenario_id = w.scenario_id and b.order_key like '~%%'
      order by lower(b.order_key) limit 1))
), shares as (
  select r.*, greatest(1, r.share / count(*) over (partition by r.organization_id)) as most
  from (
    select *, row_number() over (partition by organization_id order by random()) as turn,
      greatest(1, %(each)s / (select count(distinct organization_id) from ready)) as share
    from ready
  ) r where r.turn <= r.share
), in_line as (
  select b.* from shares o cross join lateral (
    select b.organization_id, b.scenario_id, b.order_key, b.lease_until, b.oldest_at from backlog b
    where o.runs and b.organization_id = o.organization_id and b.scenario_id = o.scenario_id
      and not b.idle and b.blocked_by_run is null and b.lease_until < clock_timestamp()
    order by b.oldest_at limit o.most for update of b skip locked) b
), due as (
  select b.* from shares o cross join lateral (
    select b.organization_id, b.scenario_id, b.order_key, b.lease_until, b.oldest_at from backlog b
    where o.runs and b.organization_id = o.organization_id and b.scenario_id = o.scenario_id
      and b.due_at <= clock_timestamp() and b.lease_until < clock_timestamp()
    order by b.due_at limit o.most for update of b skip locked) b
), by_hand as (
  select b.* from shares o cross join lateral (
    select b.organization_id, b.scenario_id, b.order_key, b.lease_until, b.oldest_at from backlog b
    where not o.runs and b.organization_id = o.organization_id and b.scenario_id = o.scenario_id
      and b.order_key like '~%%' and b.lease_until < clock_timestamp()
      and ((not b.idle and b.blocked_by_run is null) or b.due_at <= clock_timestamp())
    order by lower(b.order_key) limit o.most for update of b skip locked) b
), picked as (
  select p.*, row_number() over (partition by organization_id, scenario_id order by oldest_at) as place
  from (select * from in_line union select * from due union select * from by_hand) p
  order by place, random() limit %(limit)s
), claimed as (
  update backlog b
  set lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
      fence = nextval('fences'), owner = %(owner)s,
      attempts = case when p.lease_until > '-infinity' then b.attempts + 1 else 0 end
  from picked p
  where b.organization_id = p.organization_id and b.scenario_id = p.scenario_id and b.order_key = p.order_key
  returning b.organization_id, b.scenario_id, b.order_key, b.fence, b.due_at, b.blocked_by_run, b.attempts,
    p.lease_until > '-infinity' as crashed
)
select c.organization_id, c.scenario_id, c.order_key, c.fence, c.due_at, c.blocked_by_run, c.crashed,
  s.published, s.draft, s.detail, s.retention,
  case when c.crashed then (
    select i.id from inbox i
    where i.organization_id = c.organization_id and i.scenario_id = c.scenario_id
      and i.order_key >= c.order_key and i.order_key <= c.order_key and i.parked_at is null
    order by i.order_key desc, i.id desc limit 1) end as cautious_until, c.attempts, s.errors_in_row
from claimed c join scenarios s on s.organization_id = c.organization_id and s.id = c.scenario_id

-- name: take
-- The next deliveries of claims we hold, leaving out those in flight (hashed: `<> all` would compare
-- each with up to 700 of them, 5.0 ms instead of 0.4); `n` says what we have seen.
-- Of large ones, as many as it takes to reach `most` bytes. The key is compared as a range, so that
-- only the index that has it gives this order: by that of ids alone, another scenario's million
-- deliveries would be read past. With the hook, if runs wait for what comes there: an index with
-- nothing in it, as a rule. `held`: the scenario was paused or switched off since it was claimed.
select w.i::int, b.n, coalesce(b.due_at <= clock_timestamp(), false), d.id, d.payload, d.server, d.received_at,
  case when exists (select from waits x where x.organization_id = w.organization_id and x.hook_id = d.hook_id
    and x.watching) then d.hook_id end,
  d.attempts, not r.runs as held
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[],
  %(fences)s::bigint[], %(limits)s::int[]) with ordinality w(organization_id, scenario_id, order_key, fence, limited, i)
join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
  and b.order_key = w.order_key and b.fence = w.fence
left join lateral (
  select w.order_key like '~%%' or scenario_runs(s) as runs from scenarios s
  where s.organization_id = w.organization_id and s.id = w.scenario_id
) r on true
left join lateral (
  select * from (
    select t.*, sum(octet_length(payload)) over (order by id) - octet_length(payload) as before from (
      select id, payload, server, received_at, hook_id, attempts from inbox d
      where r.runs and d.organization_id = w.organization_id and d.scenario_id = w.scenario_id
        and d.order_key >= w.order_key and d.order_key <= w.order_key
        and d.parked_at is null and d.id not in (select unnest(%(busy)s::uuid[]))
      order by d.order_key, d.id limit w.limited
    ) t
  ) t where before < %(most)s
) d on true
order by w.i, d.id

-- name: due
-- Runs whose time has come, of one claim: their wait is over, or they are to be tried again.
select r.id, r.version, r.retention, r.trigger, r.actor, r.started_at, r.segments, r.edited, r.tries,
  exists (select from waits w where w.organization_id = r.organization_id and w.run_id = r.id and w.closed_at is null) as awaits,
  r.state = 'incomplete' as again
from runs r
where r.organization_id = %(organization)s and r.scenario_id = %(scenario)s
  and r.order_key = %(order_key)s and r.state in ('waiting', 'incomplete') and r.due_at <= clock_timestamp()
  and r.id <> all(%(busy)s::uuid[])
  and (r.order_key like '~%%' or exists (  -- not paused, not switched off, since it was claimed
    select from scenarios s where s.organization_id = r.organization_id and s.id = r.scenario_id
      and scenario_runs(s)))
order by r.due_at, r.id limit %(limit)s

-- name: attempt
-- Count one more try of deliveries that a crash may have interrupted, or one less of those that an
-- orderly stop has; the fence guards it.
update inbox i set attempts = greatest(0, i.attempts + %(by)s)
from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(fences)s::bigint[]) w(organization_id, id, fence)
where i.organization_id = w.organization_id and i.id = w.id and exists (
  select from backlog b where b.organization_id = i.organization_id and b.scenario_id = i.scenario_id
    and b.order_key = i.order_key and b.fence = w.fence)
returning i.id, i.attempts

-- name: tried
-- The same for runs that are gone on with; their next state counts from nothing.
update runs r set tries = greatest(0, r.tries + %(by)s)
where r.organization_id = %(organization)s and r.id = any(%(runs)s::uuid[])
  and r.state in ('waiting', 'incomplete') and exists (
    select from backlog b where b.organization_id = r.organization_id and b.scenario_id = r.scenario_id
      and b.order_key = r.order_key and b.fence = %(fence)s)
returning r.id, r.tries

-- name: delivery
-- One stored delivery, for a run that has not recorded its trigger yet.
select payload, server, received_at from inbox
where organization_id = %(organization)s and id = %(id)s

-- name: recorded
-- What a run has written so far.
select s.seq, s.data, s.blobs from segments s
where s.organization_id = %(organization)s and s.run_id = %(run)s order by s.seq

-- name: has_begun
-- Which of these runs have written something.
select r.id from unnest(%(runs)s::uuid[]) r(id)
where exists (select from segments s where s.organization_id = %(organization)s and s.run_id = r.id)

-- name: run_row
select id, version, retention, trigger, actor, started_at, segments, edited, tries, state from runs
where organization_id = %(organization)s and id = %(run)s

-- name: commit
-- Everything a group of runs has to say, in one commit. FOR KEY SHARE makes a concurrent claim of
-- the same backlog wait or be skipped, and lets deliveries be signalled; a claim that came first
-- has raised the fence, so the row no longer matches. Returns the positions of claims still ours,
-- each with how many segments were written.
with held as materialized (
  select w.i from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[],
    %(fences)s::bigint[]) with ordinality w(organization_id, scenario_id, order_key, fence, i)
  join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
    and b.order_key = w.order_key and b.fence = w.fence
  for key share of b
), written as (
  insert into segments (organization_id, run_id, retention, seq, data, blobs)
  select s.organization_id, s.run_id, s.retention, s.seq, s.data,
    coalesce((select array_agg(substr(s.blobs, 1 + 16 * g, 16)) from generate_series(0, length(s.blobs) / 16 - 1) g), '{}')
  from unnest(%(segment_claims)s::int[], %(segment_organizations)s::uuid[], %(segment_runs)s::uuid[],
    %(segment_retentions)s::text[], %(segment_seqs)s::int[], %(segment_data)s::bytea[], %(segment_blobs)s::bytea[])
    s(claim, organization_id, run_id, retention, seq, data, blobs)
  where s.claim in (select i from held)
  on conflict do nothing
  returning 1
), ended as (
  insert into runs as r (organization_id, id, retention, scenario_id, version, order_key, state, wait_reason,
    due_at, trigger, actor, started_at, ended_at, operations, bytes, segments, error, failed_module, dropped, name,
    warnings, origin)
  select u.organization_id, u.id, u.retention, u.scenario_id, u.version, u.order_key, u.state, u.wait_reason,
    u.due_at, u.trigger, u.actor, u.started_at, u.ended_at, u.operations, u.bytes, u.segments,
    u.error::jsonb, u.failed_module, u.dropped::jsonb, u.name, u.warnings, u.origin
  from unnest(%(run_claims)s::int[], %(run_organizations)s::uuid[], %(run_ids)s::uuid[], %(run_retentions)s::text[],
    %(run_scenarios)s::uuid[], %(run_versions)s::int[], %(run_order_keys)s::text[], %(run_states)s::text[],
    %(run_wait_reasons)s::text[], %(run_dues)s::timestamptz[], %(run_triggers)s::text[], %(run_actors)s::text[],
    %(run_starts)s::timestamptz[], %(run_ends)s::timestamptz[], %(run_operations)s::bigint[], %(run_bytes)s::bigint[],
    %(run_segments)s::int[], %(run_errors)s::text[], %(run_failed)s::int[], %(run_dropped)s::text[],
    %(run_names)s::text[], %(run_warnings)s::int[], %(run_origins)s::uuid[])
    u(claim, organization_id, id, retention, scenario_id, version, order_key, state, wait_reason, due_at, trigger,
      actor, started_at, ended_at, operations, bytes, segments, error, failed_module, dropped, name,
      warnings, origin)
  where u.claim in (select i from held)
  on conflict (organization_id, id, retention) do update
    set state = excluded.state, wait_reason = excluded.wait_reason, due_at = excluded.due_at,
        ended_at = excluded.ended_at, operations = excluded.operations, bytes = excluded.bytes,
        segments = excluded.segments, error = excluded.error, failed_module = excluded.failed_module,
        dropped = excluded.dropped, name = excluded.name, warnings = excluded.warnings, tries = 0
    where r.state not in ('finished', 'discarded')  -- nor what was decided since it was told of this end
      and (excluded.ended_at is null or excluded.ended_at is distinct from r.ended_at)
      -- nor a stop of one that waits: nobody goes on with what has stopped before somebody makes it due
      and (excluded.ended_at is not null or r.state in ('running', 'waiting') or r.due_at is not null)
  returning r.id
), left_inbox as (
  delete from inbox d using unnest(%(done_claims)s::int[], %(done_organizations)s::uuid[], %(done_ids)s::uuid[])
    w(claim, organization_id, id)
  where d.organization_id = w.organization_id and d.id = w.id and w.claim in (select i from held)
), parked as (
  update inbox d set parked_at = clock_timestamp(), parked_reason = 'it stopped its worker three times'
  from unnest(%(parked_claims)s::int[], %(parked_organizations)s::uuid[], %(parked_ids)s::uuid[])
    w(claim, organization_id, id)
  where d.organization_id = w.organization_id and d.id = w.id and w.claim in (select i from held)
), waiting as (  -- locked in key order, as everywhere: FOR KEY SHARE doesn't keep signals away
  select b.organization_id, b.scenario_id, b.order_key, w.due, w.blocked
  from (  -- of several rows that match one, UPDATE applies any: so the first wait of each claim
    select claim, organization_id, scenario_id, order_key, min(due) as due,
      coalesce((array_agg(blocked) filter (where blocked in (select id from ended)))[1],
        (array_agg(stands) filter (where stands is not null))[1]) as blocked
    from unnest(%(wait_claims)s::int[], %(wait_organizations)s::uuid[], %(wait_scenarios)s::uuid[],
      %(wait_order_keys)s::text[], %(wait_dues)s::timestamptz[], %(wait_blocks)s::uuid[],
      %(wait_stands)s::uuid[]) w(claim, organization_id, scenario_id, order_key, due, blocked, stands)
    group by claim, organization_id, scenario_id, order_key
  ) w
  join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
    and b.order_key = w.order_key
  where w.claim in (select i from held)
  order by b.organization_id, b.scenario_id, b.order_key for no key update of b
), waits as (
  update backlog b set due_at = least(b.due_at, w.due), blocked_by_run = coalesce(w.blocked, b.blocked_by_run)
  from waiting w
  where b.organization_id = w.organization_id and b.scenario_id = w.scenario_id and b.order_key = w.order_key
), answered as (
  insert into answers (organization_id, delivery_id, server, status, headers, body)
  select a.organization_id, a.id, a.server, a.status, a.headers::jsonb, a.body
  from unnest(%(answer_claims)s::int[], %(answer_organizations)s::uuid[], %(answer_ids)s::uuid[],
    %(answer_servers)s::text[], %(answer_statuses)s::int[], %(answer_headers)s::text[], %(answer_bodies)s::bytea[])
    a(claim, organization_id, id, server, status, headers, body)
  where a.claim in (select i from held)
  on conflict do nothing
  returning server
), told as (
  select pg_notify('junctor_answer_' || server, '') from (select distinct server from answered where server > '') s
)
select i::int, (select count(*)::int from written) from held left join told on true

-- name: strange
-- Claims of which a segment is not there as it was given: another's stands in its place.
select distinct s.claim
from unnest(%(segment_claims)s::int[], %(segment_organizations)s::uuid[], %(segment_runs)s::uuid[],
  %(segment_retentions)s::text[], %(segment_seqs)s::int[], %(segment_data)s::bytea[])
  s(claim, organization_id, run_id, retention, seq, data)
join segments k on k.organization_id = s.organization_id and k.run_id = s.run_id and k.retention = s.retention and k.seq = s.seq
where k.data <> s.data

-- name: lock_release
-- Locks in key order, as deliveries are signalled in key order.
select 1 from backlog b
join unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[]) w(organization_id, scenario_id, order_key)
  on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id and b.order_key = w.order_key
order by b.organization_id, b.scenario_id, b.order_key for update of b

-- name: release_empty
-- Nobody signalled since our last look and nothing is left: the row goes. A run that somebody made
-- due meanwhile keeps it, whatever was seen of it.
delete from backlog b
using unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(fences)s::bigint[],
  %(ns)s::bigint[], %(mores)s::bool[], %(waits)s::bool[]) w(organization_id, scenario_id, order_key, fence, n, more, waits)
where b.organization_id = w.organization_id and b.scenario_id = w.scenario_id and b.order_key = w.order_key
  and b.fence = w.fence and b.n = w.n and not w.more and not w.waits and b.due_at is null

-- name: release_rest
-- The others go to the back of the line, or sleep until their first wait ends. What is not all
-- looked through after a crash stays as crashed: its lease is over, not away.
update backlog b
set lease_until = case when w.cautious then clock_timestamp() else '-infinity' end, fence = 0, owner = null, attempts = 0, oldest_at = clock_timestamp(),
    idle = (b.n = w.n and not w.more), 
    blocked_by_run = case when w.blocked is not null  -- or the next: it may have ended, or been given up
      then next_blocker(b.organization_id, b.scenario_id, b.order_key, null) end,
    due_at = case when w.waits or b.due_at is not null then (
      select min(r.due_at) from runs r where r.organization_id = b.organization_id
        and r.scenario_id = b.scenario_id and r.order_key = b.order_key and r.state in ('waiting', 'incomplete')) end
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(fences)s::bigint[],
  %(ns)s::bigint[], %(mores)s::bool[], %(waits)s::bool[], %(blocks)s::uuid[], %(cautious)s::bool[])
  w(organization_id, scenario_id, order_key, fence, n, more, waits, blocked, cautious)
where b.organization_id = w.organization_id and b.scenario_id = w.scenario_id and b.order_key = w.order_key
  and b.fence = w.fence

-- name: release_idle
-- After it, in its transaction: those with nothing left to wait for go. Whoever signals one meanwhile
-- waits for us, and then makes it anew.
delete from backlog b
using unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[]) w(organization_id, scenario_id, order_key)
where b.organization_id = w.organization_id and b.scenario_id = w.scenario_id and b.order_key = w.order_key
  and b.fence = 0 and b.idle and b.due_at is null and b.blocked_by_run is null and b.lease_until = '-infinity'

-- name: renew
-- Keep what this worker owns, and say what that is. Run from a thread with its own connection. Locks
-- in key order, as a release does at the same time, and finds the rows by their keys: to look for an
-- owner's would be to read the whole backlog.
with ours as materialized (
  select b.organization_id, b.scenario_id, b.order_key
  from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(fences)s::bigint[])
    w(organization_id, scenario_id, order_key, fence)
  join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
    and b.order_key = w.order_key and b.fence = w.fence
  where b.owner = %(owner)s
  order by b.organization_id, b.scenario_id, b.order_key for no key update of b
)
update backlog b set lease_until = clock_timestamp() + make_interval(secs => %(lease)s) from ours o
where b.organization_id = o.organization_id and b.scenario_id = o.scenario_id and b.order_key = o.order_key
returning b.fence

-- name: heartbeat
insert into nodes (name, role, details) values (%(name)s, %(role)s, %(details)s::jsonb)
on conflict (name) do update set seen_at = clock_timestamp(), details = excluded.details

-- name: leave
delete from nodes where name = %(name)s

-- name: hook_by_token
select h.organization_id, h.id, h.scenario_id, h.module, h.connector, h.kind, h.settings, h.sealed, h.enabled,
  h.connection_id, s.published, s.active, s.draining_at is not null as draining
from hooks h left join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where h.token = %(token)s

-- name: refuse
-- Count a delivery that failed its verification.
update hooks set refused = refused + 1 where organization_id = %(organization)s and id = %(id)s

-- name: version
select v.blueprint, v.bindings, s.name, o.zone, o.locale, o.country, o.name as organization_name
from scenario_versions v
join scenarios s on s.organization_id = v.organization_id and s.id = v.scenario_id
join organizations o on o.organization_id = v.organization_id
where v.organization_id = %(organization)s and v.scenario_id = %(scenario)s and v.version = %(version)s

-- name: connection
select id, name, connector, kind, base_url, settings, sealed from connections
where organization_id = %(organization)s and id = %(id)s

-- name: answers
-- Answers for those who wait here.
select delivery_id, status, headers, body from answers
where (organization_id, delivery_id) in (select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[]))

-- name: unanswered
-- Those of these deliveries that nobody answers any more: their runs are over, or have stopped, and
-- what they answered is forgotten, or was nothing. One snapshot, as a run answers in its last commit.
select w.id from unnest(%(organizations)s::uuid[], %(ids)s::uuid[]) w(organization_id, id)
where not exists (select from answers a where a.organization_id = w.organization_id and a.delivery_id = w.id)
  and not exists (select from inbox i where i.organization_id = w.organization_id and i.id = w.id
    and i.parked_at is null)
  and not exists (select from runs r where r.organization_id = w.organization_id and r.id = w.id
    and r.state in ('running', 'waiting'))

-- name: resume
-- Make a stopped run due now; the next worker goes on from its journal.
with r as (
  update runs set state = 'waiting', wait_reason = 'time', due_at = clock_timestamp()
  where organization_id = %(organization)s and id = %(run)s and state in ('incomplete', 'waiting')
  returning organization_id, scenario_id, order_key
)
insert into backlog as b (organization_id, scenario_id, order_key, idle, due_at)
select organization_id, scenario_id, order_key, true, clock_timestamp() from r
on conflict (organization_id, scenario_id, order_key) do update set n = b.n + 1, due_at = clock_timestamp()
returning b.scenario_id, pg_notify('junctor_wake', '')

-- name: discard
-- Give a stopped run up; what stood behind it goes on. One that a worker has taken up again stops
-- before its next operation: its key's row says whether somebody owns it, and is locked till then. (One
-- that looks back for a delivery is due some seconds ahead, as in `stop`.)
with w as (
  select organization_id, id, retention, coalesce(due_at < clock_timestamp() + interval '20 seconds', false) as due from runs
  where organization_id = %(organization)s and id = %(run)s and state in ('incomplete', 'uncertain', 'waiting')
  for update
), r as (
  update runs u set state = 'discarded', wait_reason = null, due_at = null, ended_at = coalesce(u.ended_at, clock_timestamp())
  from w where u.organization_id = w.organization_id and u.id = w.id and u.retention = w.retention
  returning u.organization_id, u.id, u.scenario_id, u.order_key, w.due
), dropped as (
  delete from inbox i using r where i.organization_id = r.organization_id and i.id = r.id
), over as (
  update waits w set closed_at = coalesce(w.closed_at, clock_timestamp()), watching = false
  from r where w.organization_id = r.organization_id and w.run_id = r.id and w.closed_at is null
), freed as (
  update backlog b set n = b.n + 1, idle = false,
    due_at = (select min(w.due_at) from runs w where w.organization_id = b.organization_id
      and w.scenario_id = b.scenario_id and w.order_key = b.order_key and w.state in ('waiting', 'incomplete') and w.id <> r.id),
    blocked_by_run = case when b.blocked_by_run = r.id
      then next_blocker(r.organization_id, r.scenario_id, r.order_key, r.id) else b.blocked_by_run end
  from r
  where b.organization_id = r.organization_id and b.scenario_id = r.scenario_id and b.order_key = r.order_key
  returning r.organization_id, r.id, r.due and b.fence > 0 as owned
), wanted as (
  insert into stops (organization_id, run_id, keep, actor)
  select organization_id, id, false, 'discard' from freed where owned
  on conflict (organization_id, run_id) do update set keep = false, actor = excluded.actor
  returning run_id
)
select r.id, pg_notify('junctor_wake', ''), (select pg_notify('junctor_stop', '') from wanted) from r
