-- Restoring a backup: the mark of one under way, what is made anew, and what must not go on by itself.

-- name: mark
-- While this schema exists nothing starts on the database (see migrate.py).
create schema if not exists junctor_restore

-- name: unmark
drop schema if exists junctor_restore cascade

-- name: empty
-- What an interrupted restore left: nothing has ever run on it.
do $$ begin
  drop schema if exists procrastinate cascade;
  drop schema if exists public cascade;  -- it may have ended before the dump brought its own
  create schema public;
  grant usage on schema public to public;
end $$

-- name: roles
-- As the first migration makes them; they belong to the server and are in no dump.
do $$
begin
  if not exists (select from pg_roles where rolname = 'junctor_engine') then create role junctor_engine nologin; end if;
  if not exists (select from pg_roles where rolname = 'junctor_api') then create role junctor_api nologin; end if;
  if not (pg_has_role(current_user, 'junctor_engine', 'member') and pg_has_role(current_user, 'junctor_api', 'member')) then
    execute format('grant junctor_engine, junctor_api to %I', current_user);
  end if;
  drop schema if exists public;  -- empty: the dump brings its own
end $$

-- name: own
-- The owner's policies and default rights, for whoever owns the tables now.
do $$
declare
  name text;
begin
  for name in
    select c.relname from pg_class c join pg_namespace s on s.oid = c.relnamespace
    where s.nspname = 'public' and c.relkind in ('r', 'p') and c.relrowsecurity
      and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'owner_all')
  loop
    execute format('create policy owner_all on public.%I to %I using (true) with check (true)', name, current_user);
  end loop;
  alter default privileges in schema public grant select, insert, update, delete on tables to junctor_engine;
end $$

-- name: has
-- Whether a table is in this release, or a column of it.
select exists (select from information_schema.columns
  where table_schema = 'public' and table_name = %(table)s and (%(column)s::text is null or column_name = %(column)s))

-- name: paths
-- The job queue's triggers name its tables without their schema; until the end of the transaction.
set local search_path = public, procrastinate

-- name: forget_processes
-- The processes of the original are none of the copy's, and hold nothing here.
with gone as (delete from nodes where %(gaps)s::boolean is not true or name <> 'door'),
jobs as (delete from procrastinate.procrastinate_jobs where status = 'doing'),
workers as (delete from procrastinate.procrastinate_workers)
update backlog set lease_until = '-infinity', fence = 0, owner = null, attempts = 0 where fence <> 0

-- name: forget_jobs
-- What was to be done or told is the original's to do and tell.
with jobs as (delete from procrastinate.procrastinate_jobs where status = 'todo'),
messages as (
  update notifications set closed = true, given_up_at = clock_timestamp(), error = %(message)s
  where sent_at is null and given_up_at is null
)
update notices set told_at = coalesce(told_at, clock_timestamp()), handed_at = coalesce(handed_at, clock_timestamp())
where told_at is null or handed_at is null

-- name: forget_stops
-- A wish to end a run was for the original's; whoever resumes it here wants it to go on.
delete from stops

-- name: still_waits
-- What comes now starts its own scenario: the run that waited for it is set aside, and may have been
-- answered in the original. Whoever resumes the run has it look back, and wait again.
update waits set watching = false, looked = false
where kind = 'delivery' and watching and closed_at is null and answered_at is null

-- name: set_aside_deliveries
-- What had not ended when the backup was made may have ended since, in the original: it becomes an
-- incomplete run that a person resumes or discards.
with held as (
  update inbox set parked_at = clock_timestamp(), parked_reason = %(message)s where parked_at is null
  returning organization_id, id, scenario_id, order_key, received_at
)
insert into runs (organization_id, id, retention, scenario_id, version, order_key, state, trigger, actor, started_at,
  ended_at, segments, error)
select h.organization_id, h.id, s.retention, h.scenario_id, coalesce(s.published, s.draft), h.order_key, 'incomplete',
  case when h.order_key = '~manual' then 'manual' else 'delivery' end, %(actor)s, h.received_at, clock_timestamp(),
  (select count(*) from segments g where g.organization_id = h.organization_id and g.run_id = h.id), %(error)s::jsonb
from held h join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where not exists (select from runs r where r.organization_id = h.organization_id and r.id = h.id)

-- name: set_aside_runs
update runs set state = 'incomplete', wait_reason = null, due_at = null,
  ended_at = coalesce(ended_at, clock_timestamp()), error = %(error)s::jsonb
where state in ('running', 'waiting')

-- name: no_retries
-- Neither retries of incomplete runs nor probes of uncertain ones go on by themselves.
update runs set due_at = null, error = coalesce(error, '{}') || '{"restored": true}'
where state in ('incomplete', 'uncertain')

-- name: keep_order
-- Sequential work stands behind what was set aside, as behind any incomplete run.
update backlog b set due_at = null, blocked_by_run = next_blocker(b.organization_id, b.scenario_id, b.order_key, null)
from scenarios s
where s.organization_id = b.organization_id and s.id = b.scenario_id and b.order_key not like '~%%'
  and (b.order_key <> '' or exists (
    select from scenario_versions v
    where v.organization_id = s.organization_id and v.scenario_id = s.id
      and v.version = coalesce(s.published, s.draft) and v.blueprint ~ '"sequential"\s*:\s*true'))

-- name: switch_off
-- Nothing starts in a copy, and it knows no registration that it might remove from the original.
with off as (
  update scenarios set active = false where active returning organization_id, id, name
), hooks as (
  update hooks set registration = null, registration_error = null where registration is not null
)
select organization_id, name from off order by organization_id, name

-- name: silence
-- What the copy has to tell, it would tell the people of the original.
update notification_channels set enabled = false where enabled returning organization_id, name

-- name: pause_schedules
update schedules set paused = true, next_at = null where not paused

-- name: plan_schedules
-- Firings between the backup and now were the original's.
update schedules set next_at = '-infinity', anchor_at = null where next_at is not null

-- name: note
select append_audit(organization_id, %(actor)s, 'database.restore', 'database', %(details)s::jsonb) from organizations
where organization_id = %(organization)s

-- name: organizations
select organization_id from organizations

-- name: data_keys
select organization_id, id, master, wrapped from data_keys

-- name: master_keys
select distinct master from data_keys order by 1

-- name: migrations
select id from migrations order by id

-- name: processes
-- Servers and workers that were heard of in the last seconds.
select count(*) from nodes where role in ('server', 'worker') and seen_at > clock_timestamp() - interval '30 seconds'

-- name: size
select pg_database_size(current_database())

-- name: scratch_prefix
-- How databases for a while are called that are made for this one. Its number, as locks are counted
-- by it, and other installations on the server have others.
select 'junctor_verify_' || oid || '_' from pg_database where datname = current_database()

-- name: scratches
-- Those that are there and that we may remove.
select d.datname from pg_database d, pg_database our
where our.datname = current_database() and d.datname ~ ('^junctor_verify_' || our.oid || '_[0-9a-f]{12}$')
  and pg_has_role(d.datdba, 'usage')
order by d.datname

-- name: use_scratch
-- Whether it is ours now: nobody else uses it. Taken before there is such a database.
select pg_try_advisory_lock(hashtextextended(%(name)s, 20022))

-- name: leave_scratch
select pg_advisory_unlock(hashtextextended(%(name)s, 20022))
