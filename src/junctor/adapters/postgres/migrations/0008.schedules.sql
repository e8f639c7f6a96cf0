-- When scenarios start by themselves (language/schedule.py), and how many may start in a minute.

create table schedules (
  organization_id uuid not null,
  scenario_id uuid not null,
  scheduling jsonb not null,               -- Make's JSON
  zone text,                               -- null: the organisation's
  missed text not null default 'once' check (missed in ('skip', 'once', 'all')),
  max_per_minute int check (max_per_minute > 0),
  paused boolean not null default false,
  anchor_at timestamptz,                   -- what an interval counts from
  next_at timestamptz,                     -- -infinity: to be planned anew; null: nothing is planned
  last_at timestamptz,                     -- the instant fired last
  last_run uuid,                           -- and its run: while that waits or runs, nothing fires
  missed_count bigint not null default 0,  -- firings that nothing was done about
  minute_at timestamptz,                   -- when the minute began that is counted
  minute_n int not null default 0,         -- runs started in it
  revision int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, scenario_id),
  foreign key (organization_id, scenario_id) references scenarios on delete cascade
) with (fillfactor = 50);
create index schedules_due on schedules (next_at) where next_at is not null;
create index schedules_paced on schedules (organization_id, scenario_id) where max_per_minute is not null;
select guard_table('schedules');
grant select, insert, update, delete on schedules to junctor_engine, junctor_api;

-- Whoever switches a scenario on or off (a person, its failures, a process of before this table):
-- its schedule begins anew, or ends. In the same transaction, so nothing fires for one that is off.
create function plan_schedule() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  update schedules set next_at = case when new.active and not paused then '-infinity'::timestamptz end,
    anchor_at = null
  where organization_id = new.organization_id and scenario_id = new.id;
  return null;
end $$;
create trigger plan_schedule after update of active on scenarios
  for each row when (old.active is distinct from new.active) execute function plan_schedule();

-- Another zone means other instants.
create function plan_schedules() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  update schedules set next_at = '-infinity'
  where organization_id = new.organization_id and zone is null and next_at is not null;
  return null;
end $$;
create trigger plan_schedules after update of zone on organizations
  for each row when (old.zone is distinct from new.zone) execute function plan_schedules();

revoke execute on function plan_schedule(), plan_schedules() from public;
