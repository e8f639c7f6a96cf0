-- What somebody may have to know, and failures in a row.

-- name: add_notice
insert into notices (organization_id, id, kind, scenario_id, run_id, subject, params)
values (%(organization)s, %(id)s, %(kind)s, %(scenario)s, %(run)s, %(subject)s, %(params)s::jsonb)
on conflict do nothing

-- name: every_organization
select organization_id from organizations

-- name: add_notices
insert into notices (organization_id, id, kind, scenario_id, run_id, subject, params)
select w.organization_id, w.id, w.kind, w.scenario_id, w.run_id, w.subject, w.params::jsonb
from unnest(%(organizations)s::uuid[], %(ids)s::uuid[], %(kinds)s::text[], %(scenarios)s::uuid[],
  %(runs)s::uuid[], %(subjects)s::text[], %(params)s::text[])
  w(organization_id, id, kind, scenario_id, run_id, subject, params)
on conflict do nothing  -- the same again, after a lost connection

-- name: lock_errors
-- In order, as others lock them, too.
select s.organization_id, s.id, s.errors_in_row, s.active from scenarios s
where (s.organization_id, s.id) in (select * from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[]))
order by 1, 2 for no key update

-- name: set_errors
-- Failures in a row; those that have had too many are switched off.
update scenarios s
set errors_in_row = w.errors,
    active = w.active,
    updated_at = case when s.active and not w.active then now() else s.updated_at end,
    updated_by = case when s.active and not w.active then 'system' else s.updated_by end,
    revision = s.revision + (s.active and not w.active)::int
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(errors)s::int[], %(actives)s::bool[])
  w(organization_id, id, errors, active)
where s.organization_id = w.organization_id and s.id = w.id

-- name: transaction
-- The number of this one, to ask for should its answer be lost.
select pg_current_xact_id()::text

-- name: made
select coalesce(pg_xact_status(%(number)s::xid8) = 'committed', false)
