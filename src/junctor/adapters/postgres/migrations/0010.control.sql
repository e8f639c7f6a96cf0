-- Scenarios held or run dry, runs stopped by somebody, and claims that stay cheap and fair however
-- much waits.

alter table scenarios add column paused_at timestamptz;    -- what comes in is kept, nothing is run
alter table scenarios add column draining_at timestamptz;  -- nothing new comes in; off when all is done

-- Whether what waits for a scenario may be run now, and whether it may start something new.
create function scenario_runs(s scenarios) returns boolean language sql immutable parallel safe as $$
  select s.active and s.paused_at is null
$$;
create function scenario_starts(s scenarios) returns boolean language sql immutable parallel safe as $$
  select s.active and s.paused_at is null and s.draining_at is null
$$;
grant execute on function scenario_runs, scenario_starts to junctor_engine, junctor_api;

-- Runs that somebody wants to end, until they have. Whoever works on one looks here.
create table stops (
  organization_id uuid not null,
  run_id uuid not null,
  keep boolean not null default false,     -- it becomes incomplete, not discarded
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, run_id)
);
select guard_table('stops');
grant select, insert, update, delete on stops to junctor_engine;
grant select, insert, update on stops to junctor_api;

-- Claims go from scenario to scenario and look only at what they take of each: neither a million
-- order keys of one scenario, nor those of one that is off or paused, nor a million waits cost others.
create index backlog_line on backlog (organization_id, scenario_id, oldest_at) where not idle and blocked_by_run is null;
create index backlog_due on backlog (organization_id, scenario_id, due_at) where due_at is not null;
create index backlog_by_hand on backlog (organization_id, scenario_id, lower(order_key)) where order_key like '~%';
drop index backlog_ready;
create index scenarios_draining on scenarios (organization_id, id) where draining_at is not null;
grant execute on function uuid7_floor to junctor_api;
