-- How the installation does. `organization`: of one of them; null: of all, for the operator.

-- name: nodes
select name, role, started_at, extract(epoch from clock_timestamp() - started_at)::float8 as uptime,
  extract(epoch from clock_timestamp() - seen_at)::float8 as silent, details,
  extract(epoch from clock_timestamp())::float8 as now
from nodes where role <> 'door' order by role, started_at, name

-- name: queued
-- Deliveries that nobody has finished; those under way count.
select count(*) filter (where parked_at is null) as deliveries,
  count(*) filter (where parked_at is not null) as parked,
  coalesce(extract(epoch from clock_timestamp() - min(received_at) filter (where parked_at is null)), 0)::float8 as oldest
from inbox where %(organization)s::uuid is null or organization_id = %(organization)s

-- name: lines
-- Queues with work, by what is the matter with them; and how long the first that could be claimed
-- has waited: the lag.
select count(*) filter (where not b.idle) as queues,
  count(*) filter (where b.fence > 0 and b.lease_until > clock_timestamp()) as claimed,
  count(*) filter (where b.blocked_by_run is not null) as blocked,
  count(*) filter (where not b.idle and not scenario_runs(s)) as held,
  coalesce(extract(epoch from clock_timestamp() - min(b.oldest_at) filter (
    where not b.idle and b.blocked_by_run is null and b.lease_until < clock_timestamp() and scenario_runs(s))), 0)::float8 as lag
from backlog b join scenarios s on s.organization_id = b.organization_id and s.id = b.scenario_id
where %(organization)s::uuid is null or b.organization_id = %(organization)s

-- name: starts
-- From a delivery's arrival to its run's start, in seconds, of the last minute's runs (some thousands
-- of each organisation at most); a run's id is its delivery's, and begins with its millisecond.
select count(*) as runs,
  percentile_cont(array[0.5, 0.95]) within group (order by r.delay) as delays
from organizations o cross join lateral (
  select greatest(0, extract(epoch from started_at) - (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0))::float8 as delay
  from runs
  where organization_id = o.organization_id and id > uuid7_floor(now() - interval '1 minute')
    and trigger = 'delivery' order by id desc limit 5000
) r
where %(organization)s::uuid is null or o.organization_id = %(organization)s

-- name: stopped_runs
select state, count(*) from runs
where state in ('waiting', 'incomplete', 'uncertain')
  and (%(organization)s::uuid is null or organization_id = %(organization)s)
group by state

-- name: scenarios_held
select count(*) filter (where active) as active, count(*) filter (where paused_at is not null) as paused,
  count(*) filter (where draining_at is not null) as draining
from scenarios where %(organization)s::uuid is null or organization_id = %(organization)s

-- name: budgets
select b.connector, b.name, b.key, c.name as connection, b.state::text,
  extract(epoch from clock_timestamp())::float8 as now
from budgets b
left join connections c on c.organization_id = b.organization_id and c.id::text = b.key
where (%(organization)s::uuid is null or b.organization_id = %(organization)s)
  and b.updated_at > now() - interval '1 hour'
order by b.connector, b.name, b.key limit 200

-- name: database
select pg_database_size(current_database()) as bytes,
  (select count(*) from pg_stat_activity where datname = current_database()) as connections,
  current_setting('max_connections')::int as most, current_setting('server_version') as version

-- name: jobs
select status::text, count(*) from procrastinate.procrastinate_jobs group by 1

-- name: failing_channels
-- Channels of notifications through which nothing arrives any more.
select c.name, c.kind, c.failed_at, c.error from notification_channels c
where c.failed_at is not null and c.enabled and (%(organization)s::uuid is null or c.organization_id = %(organization)s)
order by c.failed_at limit 20

-- name: silent_channels
-- Channels of notifications that are switched off.
select c.name, c.kind from notification_channels c
where not c.enabled and (%(organization)s::uuid is null or c.organization_id = %(organization)s)
order by c.name limit 20

-- name: unsettled_notices
-- Of the last week: what no job has looked at, what is on its way, what nobody was told, what was given up.
select count(*) filter (where n.handed_at is null and n.created_at < now() - interval '5 minutes') as new,
  count(*) filter (where n.told_at is null and m.waiting) as waiting,
  count(*) filter (where n.told_at is null and not m.waiting and m.given_up) as given_up,
  count(*) filter (where n.told_at is null and n.handed_at is not null and not m.waiting and not m.given_up) as unheard
from notices n cross join lateral (
  select coalesce(bool_or(m.sent_at is null and m.given_up_at is null), false) as waiting,
    coalesce(bool_or(m.given_up_at is not null), false) as given_up
  from notification_notices l
  join notifications m on m.organization_id = l.organization_id and m.id = l.notification_id
  where l.organization_id = n.organization_id and l.notice_id = n.id
) m
where n.created_at > now() - interval '7 days' and n.told_at is null
  and (%(organization)s::uuid is null or n.organization_id = %(organization)s)
