-- What workers of one machine know of each other.

-- name: neighbours
select name, details ->> 'process' from nodes
where role = 'worker' and name <> %(name)s and details ->> 'machine' = %(machine)s

-- name: bury
-- These have ended: so do their leases, and who claims next knows that their owner crashed. What
-- somebody is writing to right now keeps its lease. They are remembered for a while, as a last
-- statement of theirs may only be carried out now.
with forgotten as (
  delete from nodes where name = any(%(names)s) and seen_at < clock_timestamp() - make_interval(secs => %(remembered)s)
), held as (
  select organization_id, scenario_id, order_key from backlog
  where owner = any(%(names)s) and lease_until > clock_timestamp()
  order by 1, 2, 3 for update skip locked
), ended as (
  update backlog b set lease_until = clock_timestamp() from held h
  where (b.organization_id, b.scenario_id, b.order_key) = (h.organization_id, h.scenario_id, h.order_key)
  returning 1
), counted as (
  select count(*) as n from ended
)
select c.n, case when c.n > 0 then pg_notify('junctor_wake', '') end from counted c
