-- App hooks at the door: who gets what, and one transaction for a delivery and all its copies.

-- name: app_hook_by_token
select organization_id, id, connector, app, settings, enabled, generation from app_hooks where token = %(token)s

-- name: subscribers
-- Hooks of active scenarios with their accounts; the connector says which of them are the app's.
-- A scenario that runs dry gets nothing new.
select h.organization_id, h.id, h.scenario_id, h.connector, h.kind, h.settings, h.sealed, s.published,
  c.id, c.kind, c.settings, t.account_id
from hooks h
join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
join connections c on c.organization_id = h.organization_id and c.id = h.connection_id
left join connection_states t on t.organization_id = c.organization_id and t.connection_id = c.id
where h.organization_id = %(organization)s and h.connector = %(connector)s and c.connector = h.connector
  and h.enabled and s.active and s.draining_at is null and s.published is not null
order by h.id

-- name: app_accounts
-- All connections of a kind: also those that no hook uses are told that the app was removed.
select c.id, c.settings, t.account_id
from connections c
join connection_states t on t.organization_id = c.organization_id and t.connection_id = c.id
where c.organization_id = %(organization)s and c.connector = %(connector)s and c.kind = %(kind)s

-- name: generations
select organization_id, id, generation from app_hooks
where enabled and (organization_id, id) in (select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[]))

-- name: count_app
-- Last in the transaction, in the order of ids: the rows are held for no longer than the commit takes.
with given as (
  select * from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(delivered)s::bigint[], %(unwanted)s::bigint[])
    as g (organization_id, id, delivered, unwanted)
), locked as (
  select a.organization_id, a.id, g.delivered, g.unwanted
  from app_hooks a join given g on g.organization_id = a.organization_id and g.id = a.id
  order by a.organization_id, a.id for update of a
)
update app_hooks a set delivered = a.delivered + l.delivered, unwanted = a.unwanted + l.unwanted, last_at = now()
from locked l where a.organization_id = l.organization_id and a.id = l.id

-- name: refuse_app
update app_hooks set refused = refused + 1, refused_reason = %(reason)s
where organization_id = %(organization)s and id = %(id)s
returning generation

-- name: end_accounts
-- The vendor says that the app was removed. What was said before it was last authorised is old.
update connection_states set broken_at = coalesce(broken_at, now()), broken_reason = %(reason)s, refused = true
where organization_id = %(organization)s and connection_id = any(%(connections)s::uuid[])
  and tokens is not null and (authorized_at is null or authorized_at < %(at)s)

-- name: renew_accounts
-- It was installed again; only what was removed before is said to wait for its owner.
update connection_states set broken_reason = %(reason)s
where organization_id = %(organization)s and connection_id = any(%(connections)s::uuid[])
  and broken_at is not null and refused and (authorized_at is null or authorized_at < %(at)s)
