-- Uncertain runs: what is known of them, and how they go on.

-- name: settle
-- The journal gets its word, and the run is due: both, or neither if somebody was faster.
with r as (
  update runs set state = 'waiting', wait_reason = 'time', due_at = clock_timestamp(), segments = segments + 1
  where organization_id = %(organization)s and id = %(run)s and state = 'uncertain'
  returning organization_id, id, retention, scenario_id, order_key
), said as (
  insert into segments (organization_id, run_id, retention, seq, data, blobs)
  select organization_id, id, retention, %(seq)s, %(data)s, %(blobs)s::bytea[] from r
)
insert into backlog as b (organization_id, scenario_id, order_key, idle, due_at)
select organization_id, scenario_id, order_key, true, clock_timestamp() from r
on conflict (organization_id, scenario_id, order_key) do update set n = b.n + 1, due_at = clock_timestamp()
returning b.scenario_id, pg_notify('junctor_wake', '')

-- name: uncertain
-- Runs of the last day whose effect may be looked for, of all organisations; the pause gives the
-- vendor time to show it. Those of a restored backup are left to people (queries/backup.sql).
select organization_id, id, extract(epoch from clock_timestamp() - ended_at)::float as age from runs
where state = 'uncertain' and ended_at > now() - interval '1 day' and ended_at < now() - interval '20 seconds'
  and not coalesce(error ? 'restored', false)
order by ended_at desc limit %(limit)s
