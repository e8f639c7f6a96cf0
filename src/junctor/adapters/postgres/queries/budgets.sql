-- Vendors' budgets: read under a lock, changed by `language.budgets.Bucket`, written.

-- name: budget_begin
-- Nobody waits long for a row, or for the disk: what a crash of the server forgets is half a second.
select set_config('lock_timeout', '2000', true), set_config('synchronous_commit', 'off', true)

-- name: budget_lock
-- The clock is read after the lock is had: a wait must not make answers older than they are.
with locked as materialized (
  select state::text as state from budgets
  where organization_id = %(organization)s and connector = %(connector)s and name = %(name)s and key = %(key)s
  for update
)
select state, extract(epoch from clock_timestamp())::float8 from locked

-- name: budget_new
-- Rows of connections that are gone, or rest, go with it: nothing is counted for longer.
with rested as (
  delete from budgets where organization_id = %(organization)s and updated_at < now() - interval '35 days'
)
insert into budgets (organization_id, connector, name, key, state)
values (%(organization)s, %(connector)s, %(name)s, %(key)s, '{}') on conflict do nothing

-- name: budget_put
update budgets set state = %(state)s::text::jsonb, updated_at = now()
where organization_id = %(organization)s and connector = %(connector)s and name = %(name)s and key = %(key)s

-- name: budget_read
select state::text, extract(epoch from clock_timestamp())::float8 from budgets
where organization_id = %(organization)s and connector = %(connector)s and name = %(name)s and key = %(key)s
