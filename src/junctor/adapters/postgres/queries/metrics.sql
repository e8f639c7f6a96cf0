-- What a server says of the whole installation when its numbers are asked for.

-- name: backlog
-- The backlog has a row per scenario and order key at work, so it may be read whole.
select count(*) filter (where not idle), count(*) filter (where blocked_by_run is not null),
  count(*) filter (where lease_until > clock_timestamp()),
  coalesce(extract(epoch from clock_timestamp() - min(oldest_at) filter (where not idle)), 0)::float8
from backlog

-- name: inbox
-- Counted up to a limit: a million waiting deliveries must not make the numbers slow as well.
select count(*) filter (where parked_at is null), count(*) filter (where parked_at is not null)
from (select parked_at from inbox limit %(most)s) as looked

-- name: unfinished
select state, count(*) from (
  select state from runs where state in ('waiting', 'incomplete', 'uncertain') limit %(most)s
) as looked group by state

-- name: jobs
select status::text, count(*) from procrastinate.procrastinate_jobs
where status in ('todo', 'doing', 'failed') group by status

-- name: nodes
-- The row of role door is no process: it remembers when a server was last heard of.
select role, count(*) from nodes
where role <> 'door' and seen_at > clock_timestamp() - interval '30 seconds' group by role

-- name: budgets
select connector, name, state::text, extract(epoch from clock_timestamp())::float8 from budgets
where updated_at > now() - interval '10 minutes' limit 5000
