-- Deliveries that lay in a server's spool, and the hooks that are kept ready for such a time.

-- name: spooled_received
-- When they came, not when they were drained; the id tells.
update inbox i set received_at = d.received_at
from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(times)s::timestamptz[])
  as d(organization_id, id, received_at)
where i.organization_id = d.organization_id and i.id = d.id

-- name: probe
-- Locks nothing that is there; fails on a server that only reads.
delete from answers where organization_id is null

-- name: tokens
-- Addresses that can receive something, the newest first.
select h.token from hooks h
join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where h.enabled and s.active
order by h.id desc limit %(most)s

-- name: app_tokens
select token from app_hooks where enabled order by id desc limit %(most)s
