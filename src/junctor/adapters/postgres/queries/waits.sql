-- Waits for a delivery or a person. Whoever answers, closes or puts to sleep locks the wait's row
-- first and looks at the run in a statement of its own after that: so nobody's wake-up is lost.

-- name: open_waits
-- In the commit that leaves the run waiting.
insert into waits (organization_id, id, run_id, scenario_id, module, kind, hook_id, sealed, token_hash, since, until,
  looked, also)
select w.organization_id, w.id, w.run_id, w.scenario_id, w.module, w.kind, w.hook_id, w.sealed, w.token_hash, w.since,
  clock_timestamp() + make_interval(secs => w.seconds), w.kind <> 'delivery', w.also
from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(runs)s::uuid[], %(scenarios)s::uuid[], %(modules)s::int[],
  %(kinds)s::text[], %(hooks)s::uuid[], %(sealed)s::bytea[], %(hashes)s::bytea[], %(sinces)s::timestamptz[],
  %(seconds)s::int[], %(alsos)s::bool[])
  w(organization_id, id, run_id, scenario_id, module, kind, hook_id, sealed, token_hash, since, seconds, also)
on conflict do nothing  -- the same commit again, after a lost connection

-- name: wait_row
-- One that a restore has stilled is watched again from here on, before it looks back.
with again as (
  update waits w set watching = true
  where w.organization_id = %(organization)s and w.id = %(id)s and not w.watching and not w.looked
    and w.closed_at is null and w.answered_at is null
)
select w.sealed, w.hook_id, w.looked from waits w
where w.organization_id = %(organization)s and w.id = %(id)s

-- name: wait_before
-- When the run's last wait ended, and whether a link is used already.
select (select max(w.closed_at) from waits w where w.organization_id = %(organization)s and w.run_id = %(run)s),
  exists (select from waits w where w.token_hash = %(hash)s)

-- name: close_wait
-- What came of it, if that is decided; once closed, it stays what it was. `over`: its run was ended
-- before there was an answer.
update waits w set closed_at = coalesce(w.closed_at, clock_timestamp()),
  watching = w.delivery_id is not null and exists (
    select from inbox i where i.organization_id = w.organization_id and i.id = w.delivery_id)
where w.organization_id = %(organization)s and w.id = %(id)s
  and (w.closed_at is not null or w.answered_at is not null or w.until <= clock_timestamp())
returning w.answer, extract(epoch from coalesce(w.answered_at, w.until) - w.opened_at)::float8,
  w.answered_at is null and w.closed_at < w.until and exists (select from runs r
    where r.organization_id = w.organization_id and r.id = w.run_id and r.state = 'discarded') as over

-- name: still_wait
-- Its run goes on without it, or stops: what comes starts its own scenario. Tried again, it is watched
-- and looks back as one that a restore has stilled (`wait_row`).
update waits w set watching = false, looked = false
where w.organization_id = %(organization)s and w.id = %(id)s
  and w.kind = 'delivery' and w.closed_at is null and w.answered_at is null

-- name: end_waits
-- The same of runs that stop, in the transaction of the commit that says so, and before it: whoever
-- answers locks the wait first, then the run. A person may decide for a run that can go on. Waits of
-- runs that are over are closed.
with held as materialized (
  select w.organization_id, w.run_id, w.over
  from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(fences)s::bigint[],
    %(runs)s::uuid[], %(overs)s::bool[]) w(organization_id, scenario_id, order_key, fence, run_id, over)
  join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
    and b.order_key = w.order_key and b.fence = w.fence
  for key share of b
)
update waits w set watching = false, looked = w.looked and h.over,
  closed_at = case when h.over then clock_timestamp() end
from held h
where w.organization_id = h.organization_id and w.run_id = h.run_id and w.closed_at is null
  and (h.over or (w.kind = 'delivery' and w.answered_at is null))

-- name: lock_wait
-- It has looked back, and is still open.
update waits w set looked = true
where w.organization_id = %(organization)s and w.id = %(id)s
  and w.closed_at is null and w.answered_at is null and w.until > clock_timestamp()
returning w.until

-- name: sleep_wait
update runs r set state = 'waiting', wait_reason = %(kind)s, due_at = %(until)s
where r.organization_id = %(organization)s and r.id = %(run)s and r.state = 'waiting'

-- name: answer_wait
-- The first answer counts that came before its time was over; `fence` 0: of nobody's claim.
update waits w set answer = %(answer)s, answered_at = clock_timestamp(), answered_by = %(by)s, delivery_id = %(delivery)s
where w.organization_id = %(organization)s and w.id = %(id)s
  and w.closed_at is null and w.answered_at is null and w.until > coalesce(%(came)s, clock_timestamp())
  and (w.kind = 'approval' or w.watching)
  and not exists (select from waits o where o.organization_id = w.organization_id and o.delivery_id = %(delivery)s)
  and exists (select from runs r where r.organization_id = w.organization_id and r.id = w.run_id
    and r.state not in ('finished', 'discarded'))
  and (%(fence)s = 0 or exists (select from backlog b where b.organization_id = %(organization)s
    and b.scenario_id = %(scenario)s and b.fence = %(fence)s))
returning w.run_id

-- name: wake_wait
with r as (
  update runs set due_at = clock_timestamp()
  where organization_id = %(organization)s and id = %(run)s and state = 'waiting'
  returning organization_id, scenario_id, order_key
)
insert into backlog as b (organization_id, scenario_id, order_key, idle, due_at)
select organization_id, scenario_id, order_key, true, clock_timestamp() from r
on conflict (organization_id, scenario_id, order_key) do update set n = b.n + 1, due_at = clock_timestamp()
returning b.scenario_id, pg_notify('junctor_wake', '')

-- name: watching
-- Open waits of a hook, the oldest first; and the one that this delivery has answered already. What
-- came before the wait looked for anything is no answer to it, however late somebody looks at that.
select w.id, w.run_id, w.sealed, w.also, w.delivery_id is not null as taken from waits w
where w.organization_id = %(organization)s and w.hook_id = %(hook)s and w.watching
  and (w.delivery_id = %(delivery)s or (w.answered_at is null and w.closed_at is null and w.until > %(received)s
    and (w.since is null or least(w.since, w.opened_at) <= %(received)s)))
order by w.delivery_id is null, w.opened_at, w.id

-- name: seen_already
-- Deliveries of a hook that came since: those in the inbox, and those whose runs were begun, by what
-- their journals begin with. One snapshot, so that none is between the two.
(select i.id, i.payload, i.received_at, null::bytea as data, null::bytea[] as blobs from inbox i
 where i.organization_id = %(organization)s and i.id >= uuid7_floor(%(since)s) and i.hook_id = %(hook)s and i.id <> %(run)s
   and not exists (select from waits o where o.organization_id = i.organization_id and o.delivery_id = i.id)
 order by i.id limit %(most)s)
union all
(select r.id, null, r.started_at, s.data, s.blobs from runs r
 join segments s on s.organization_id = r.organization_id and s.run_id = r.id and s.retention = r.retention and s.seq = 0
 where r.organization_id = %(organization)s and r.id >= uuid7_floor(%(since)s) and r.scenario_id = %(scenario)s
   and r.trigger = 'delivery' and r.id <> %(run)s
   and not exists (select from inbox i where i.organization_id = r.organization_id and i.id = r.id)
   and not exists (select from waits o where o.organization_id = r.organization_id and o.delivery_id = r.id)
 order by r.id limit %(most)s)
order by 1

-- name: hook_for_wait
select h.id, h.scenario_id, h.connector, h.kind, h.name, coalesce(s.active and h.enabled, false) as active,
  (select w.since from waits w where w.organization_id = h.organization_id and w.id = %(wait)s) as since
from hooks h left join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where h.organization_id = %(organization)s
  and (h.id = %(id)s or (%(id)s::uuid is null and h.name = %(name)s))

-- name: hooks_to_wait_for
select h.id, h.name, s.name as scenario from hooks h
join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where h.organization_id = %(organization)s and s.active and h.enabled order by h.name, h.id limit 500

-- name: stuck_lines
-- Lines that nobody can take from, as a run stands before them, and hooks that an open wait watches
-- there. What came a while before all those waits looked for anything answers none of them.
select h.organization_id, h.scenario_id, b.order_key, h.id, b.blocked_by_run, b.n,
  uuid7_floor(w.floor - interval '1 minute') as floor,
  uuid7_floor(clock_timestamp() - interval '5 seconds') as settled, clock_timestamp() as now
from (
  select organization_id, hook_id,
    min(case when since is null then '1970-01-02' else least(since, opened_at) end) as floor from waits
  where watching and hook_id is not null and answered_at is null and closed_at is null
    and until > clock_timestamp()
  group by organization_id, hook_id
) w
join hooks h on h.organization_id = w.organization_id and h.id = w.hook_id
cross join lateral (  -- by its scenario, however few rows there were when this was planned
  select * from backlog b
  where b.organization_id = h.organization_id and b.scenario_id = h.scenario_id and b.blocked_by_run is not null
    and (%(after_organization)s::uuid is null or (b.organization_id, b.scenario_id, b.order_key, h.id)
      > (%(after_organization)s, %(after_scenario)s::uuid, %(after_key)s::text, %(after_hook)s::uuid))
  order by b.order_key limit %(most)s
) b
order by 1, 2, 3, 4 limit %(most)s

-- name: stuck_behind
-- What stands in these lines after where each was read to, but what is `known` of it. Without a
-- payload, if it answers none: it did, or came by another way.
select d.organization_id, d.id,
  case when d.hook_id = h.id and (select o.id from waits o where o.organization_id = d.organization_id
    and o.delivery_id = d.id) is null then d.payload end as payload,
  d.received_at, h.id as hook_id, h.connector, h.kind, l.i::int
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(hooks)s::uuid[],
  %(fronts)s::uuid[]) with ordinality l(organization_id, scenario_id, order_key, hook_id, front, i)
join hooks h on h.organization_id = l.organization_id and h.id = l.hook_id
cross join lateral (
  select i.organization_id, i.id, i.hook_id, i.payload, i.received_at from inbox i
  where i.organization_id = l.organization_id and i.scenario_id = l.scenario_id
    and i.order_key >= l.order_key and i.order_key <= l.order_key and i.parked_at is null
    and i.id > l.front and i.id not in (select unnest(%(known)s::uuid[]))
  order by i.order_key, i.id limit %(most)s
) d
limit %(most)s

-- name: stuck_late
-- What was stored there before that place, since then, and long after its id was made.
select d.organization_id, d.id, d.payload, d.received_at, h.id as hook_id, h.connector, h.kind, l.i::int
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(hooks)s::uuid[],
  %(fronts)s::uuid[], %(floors)s::uuid[]) with ordinality l(organization_id, scenario_id, order_key, hook_id, front, floor, i)
join hooks h on h.organization_id = l.organization_id and h.id = l.hook_id
cross join lateral (
  select i.organization_id, i.id, i.payload, i.received_at from inbox i
  where i.organization_id = l.organization_id and i.scenario_id = l.scenario_id
    and i.order_key >= l.order_key and i.order_key <= l.order_key and i.parked_at is null
    and i.id > l.floor and i.id <= l.front and i.hook_id = l.hook_id
    and i.received_at >= %(since)s and i.id < uuid7_floor(i.received_at - interval '1 second')
    and i.id not in (select unnest(%(known)s::uuid[]))
    and (select o.id from waits o where o.organization_id = i.organization_id and o.delivery_id = i.id) is null
  order by i.order_key, i.id limit %(most)s
) d
limit %(most)s

-- name: late_replies
-- Deliveries that came in time for a wait that is about to be closed without an answer, and that
-- nobody has looked at: no worker was there, or their scenario stands still.
select i.organization_id, i.id, i.payload, i.received_at, h.id as hook_id, h.connector, h.kind
from waits w
join hooks h on h.organization_id = w.organization_id and h.id = w.hook_id
join inbox i on i.organization_id = h.organization_id and i.scenario_id = h.scenario_id and i.hook_id = h.id
  and i.id <> w.run_id and i.parked_at is null and i.received_at < w.until
  and i.received_at >= coalesce(least(w.since, w.opened_at), w.opened_at)
where w.organization_id = %(organization)s and w.id = %(id)s and w.closed_at is null and w.answered_at is null
  and not exists (select from waits o where o.organization_id = i.organization_id and o.delivery_id = i.id)
order by i.id limit %(most)s

-- name: open_list
-- What waits, the oldest first.
select w.id, w.run_id, w.scenario_id, w.module, w.kind, w.hook_id, w.sealed, w.opened_at, w.until, w.answered_at,
  s.name as scenario, h.name as hook
from waits w
left join scenarios s on s.organization_id = w.organization_id and s.id = w.scenario_id
left join hooks h on h.organization_id = w.organization_id and h.id = w.hook_id
where w.organization_id = %(organization)s and w.closed_at is null
  and exists (select from runs r where r.organization_id = w.organization_id and r.id = w.run_id
    and r.state not in ('finished', 'discarded'))
  and (%(kind)s::text is null or w.kind = %(kind)s) and (%(run)s::uuid is null or w.run_id = %(run)s)
  and (%(after)s::uuid is null or w.id > %(after)s)
order by w.id limit %(most)s

-- name: approval
-- A question by its link's token, or by its id.
select w.organization_id, w.id, w.run_id, w.module, w.sealed, w.until, w.answered_at, w.answered_by,
  w.closed_at is not null or w.until <= clock_timestamp() or not exists (select from runs r
    where r.organization_id = w.organization_id and r.id = w.run_id and r.state not in ('finished', 'discarded')) as over, s.name as scenario, o.name as organization,
  w.opened_at, w.scenario_id
from waits w
join organizations o on o.organization_id = w.organization_id
left join scenarios s on s.organization_id = w.organization_id and s.id = w.scenario_id
where w.kind = 'approval' and (w.token_hash = %(hash)s
  or (%(hash)s::bytea is null and w.organization_id = %(organization)s and w.id = %(id)s))
