-- Schedules: what the catalogue keeps (role junctor_api), and what the scheduler and the pace of
-- starts do (role junctor_engine). All times are this server's.

-- name: schedule
select organization_id, scenario_id, scheduling, zone, missed, max_per_minute, paused, anchor_at,
  nullif(next_at, '-infinity') as next_at, last_at, last_run, missed_count, revision, updated_at, updated_by
from schedules where organization_id = %(organization)s and scenario_id = %(scenario)s

-- name: schedule_scenario
-- Nobody switches the scenario on or off while its schedule is written.
select active from scenarios where organization_id = %(organization)s and id = %(scenario)s for share

-- name: add_schedule
insert into schedules (organization_id, scenario_id, scheduling, next_at, updated_by)
values (%(organization)s, %(scenario)s, %(scheduling)s, case when %(active)s then '-infinity'::timestamptz end, %(actor)s)
on conflict do nothing

-- name: put_schedule
-- What means other instants is planned anew; an interval goes on counting if only paused.
insert into schedules as c (organization_id, scenario_id, scheduling, zone, missed, max_per_minute, paused, next_at, updated_by)
select %(organization)s, %(scenario)s, %(scheduling)s, %(zone)s, %(missed)s, %(max_per_minute)s, %(paused)s,
  case when %(active)s and not %(paused)s then '-infinity'::timestamptz end, %(actor)s
where coalesce(%(revision)s, 0) = 0 or exists (
  select from schedules where organization_id = %(organization)s and scenario_id = %(scenario)s)
on conflict (organization_id, scenario_id) do update
set scheduling = excluded.scheduling, zone = excluded.zone, missed = excluded.missed,
  max_per_minute = excluded.max_per_minute, paused = excluded.paused,
  anchor_at = case when c.scheduling = excluded.scheduling then c.anchor_at end,
  next_at = case when c.scheduling = excluded.scheduling and c.zone is not distinct from excluded.zone
    and c.paused = excluded.paused and excluded.next_at is not null then c.next_at else excluded.next_at end,
  revision = c.revision + 1, updated_at = now(), updated_by = excluded.updated_by
where c.revision = coalesce(%(revision)s, c.revision)
returning organization_id, scenario_id, scheduling, zone, missed, max_per_minute, paused, anchor_at,
  nullif(next_at, '-infinity') as next_at, last_at, last_run, missed_count, revision, updated_at, updated_by

-- name: delete_schedule
delete from schedules where organization_id = %(organization)s and scenario_id = %(scenario)s
  and revision = coalesce(%(revision)s, revision)
returning scenario_id

-- name: server_clock
select clock_timestamp()

-- name: due
-- (engine) What is to be planned or fired now, and nobody else looks at. One that has a firing
-- waiting or running stays due until that has ended, and one with its minute full until that is over.
-- now(), as an index can't be searched for what clock_timestamp() will say.
select c.organization_id, c.scenario_id, c.scheduling, coalesce(c.zone, o.zone), c.missed, c.anchor_at,
  nullif(c.next_at, '-infinity'), c.last_at, now()
from schedules c
join scenarios s on s.organization_id = c.organization_id and s.id = c.scenario_id and scenario_starts(s) and s.published is not null
join organizations o on o.organization_id = c.organization_id
where c.next_at <= now() and not c.paused
  and (c.next_at = '-infinity' or (
    not exists (select from inbox i
      where i.organization_id = c.organization_id and i.scenario_id = c.scenario_id and i.order_key = '~manual'
        and i.id = c.last_run and i.parked_at is null)
    and (c.max_per_minute is null or c.minute_n < c.max_per_minute
      or c.minute_at <= clock_timestamp() - interval '1 minute')))
order by c.next_at limit %(limit)s
for update of c skip locked

-- name: fire
-- (engine) The firings, as deliveries; signals in the order of keys, as everywhere.
with given as (
  select * from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(runs)s::uuid[], %(payloads)s::bytea[])
    g(organization_id, scenario_id, id, payload)
), stored as (
  insert into inbox (organization_id, id, scenario_id, order_key, payload)
  select g.organization_id, g.id, g.scenario_id, '~manual', g.payload from given g
  where not exists (select from runs r where r.organization_id = g.organization_id and r.id = g.id)
  on conflict do nothing
  returning organization_id, scenario_id, order_key
), signal as (
  insert into backlog as b (organization_id, scenario_id, order_key)
  select distinct organization_id, scenario_id, order_key from stored order by 1, 2, 3
  on conflict (organization_id, scenario_id, order_key) do update
    set n = b.n + 1, idle = false,
        oldest_at = case when b.idle then clock_timestamp() else b.oldest_at end
)
select pg_notify('junctor_wake', '')

-- name: advance
-- (engine) What was decided, in the transaction of the firings.
update schedules c
set next_at = w.following, anchor_at = w.anchor, last_at = coalesce(w.fired, c.last_at),
  last_run = coalesce(w.run, c.last_run), missed_count = c.missed_count + w.missed,
  minute_at = case when w.run is null or c.minute_at > clock_timestamp() - interval '1 minute'
    then c.minute_at else clock_timestamp() end,
  minute_n = case when w.run is null then c.minute_n
    when c.minute_at > clock_timestamp() - interval '1 minute' then c.minute_n + 1 else 1 end
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(followings)s::timestamptz[],
  %(anchors)s::timestamptz[], %(fireds)s::timestamptz[], %(runs)s::uuid[], %(misseds)s::int[])
  w(organization_id, scenario_id, following, anchor, fired, run, missed)
where c.organization_id = w.organization_id and c.scenario_id = w.scenario_id

-- name: until_next
-- (engine) Seconds until the next firing that is not due yet.
select extract(epoch from min(next_at) - clock_timestamp())::float from schedules where next_at > now()

-- name: limits
-- (engine) Scenarios that may start so many runs in a minute.
select organization_id, scenario_id, max_per_minute from schedules where max_per_minute is not null

-- name: reserve
-- (engine) Takes places of the minute; how many, and in how many seconds there are others.
with was as (
  select c.organization_id, c.scenario_id, c.max_per_minute,
    coalesce(c.minute_at > clock_timestamp() - interval '1 minute', false) as going, c.minute_n
  from schedules c
  where c.organization_id = %(organization)s and c.scenario_id = %(scenario)s and c.max_per_minute is not null
  for update
), now as (
  update schedules c
  set minute_at = case when w.going then c.minute_at else clock_timestamp() end,
    minute_n = least(greatest(w.max_per_minute, w.minute_n), case when w.going then w.minute_n else 0 end + %(wanted)s)
  from was w where c.organization_id = w.organization_id and c.scenario_id = w.scenario_id
  returning c.minute_n - case when w.going then w.minute_n else 0 end as granted,
    extract(epoch from c.minute_at + interval '1 minute' - clock_timestamp())::float as seconds
)
select granted, seconds from now

-- name: give_back
-- (engine) Places that nobody needed, if their minute is still going.
update schedules set minute_n = greatest(0, minute_n - %(unused)s)
where organization_id = %(organization)s and scenario_id = %(scenario)s
  and minute_at > clock_timestamp() - interval '1 minute'
