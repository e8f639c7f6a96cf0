-- What somebody may have to know, and failures in a row.

-- name: add_notice
insert into notices (organization_id, id, kind, scenario_id, run_id, subject, params)
values (%(organization)s, %(id)s, %(kind)s, %(scenario)s, %(run)s, %(subject)s, %(params)s::jsonb)
on conflict do nothing

-- name: every_organization
select organization_id from organizations

-- name: error_counted
-- One more failure in a row; the scenario is switched off with the `most`-th, if there is such.
update scenarios s
set errors_in_row = s.errors_in_row + 1,
    active = s.active and coalesce(s.errors_in_row + 1 < %(most)s::int, true),
    updated_at = case when s.active and s.errors_in_row + 1 >= %(most)s::int then now() else s.updated_at end,
    updated_by = case when s.active and s.errors_in_row + 1 >= %(most)s::int then 'system' else s.updated_by end,
    revision = s.revision + (s.active and coalesce(s.errors_in_row + 1 >= %(most)s::int, false))::int
from (select active from scenarios where organization_id = %(organization)s and id = %(scenario)s for update) was
where s.organization_id = %(organization)s and s.id = %(scenario)s
returning s.errors_in_row, was.active and not s.active

-- name: errors_over
update scenarios set errors_in_row = 0
where organization_id = %(organization)s and id = %(scenario)s and errors_in_row > 0
