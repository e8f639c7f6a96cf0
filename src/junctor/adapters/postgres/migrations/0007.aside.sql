-- Bundles set aside as runs of their own, automatic retries, edited runs, and notices of what happened.

alter table runs add column warnings int not null default 0;     -- bundles that were set aside
alter table runs add column origin uuid;                         -- the run it was set aside from, or repeats
alter table runs add column edited boolean not null default false;  -- somebody has changed bundles of it
alter table runs add column skipped boolean not null default false; -- what stood behind it goes on without it

-- The run that work of a sequential scenario or order key stands behind.
create function next_blocker(organization uuid, scenario uuid, key text, but uuid) returns uuid
language sql stable set search_path = public, pg_temp as $$
  select r.id from runs r
  where r.organization_id = organization and r.scenario_id = scenario and r.order_key = key
    and r.state in ('waiting', 'incomplete', 'uncertain') and not r.skipped and r.id is distinct from but
  order by r.started_at, r.id limit 1
$$;

-- What somebody may have to know: written where it happens, told by notifications.
create table notices (
  organization_id uuid not null,
  id uuid not null,                        -- UUIDv7
  kind text not null,                      -- as in runtime/notices.py
  scenario_id uuid,
  run_id uuid,
  subject text not null default '',        -- what it is about, if that is neither
  params jsonb not null default '{}',
  created_at timestamptz not null default now(),
  told_at timestamptz,
  primary key (organization_id, id)
);
create index notices_untold on notices (created_at) where told_at is null;
select guard_table('notices');
grant select, insert, update, delete on notices to junctor_engine;
grant select on notices to junctor_api;
