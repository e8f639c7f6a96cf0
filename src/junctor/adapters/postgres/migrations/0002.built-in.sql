-- What the built-in modules keep: data structures, what modules remember, variables, run names.

create table data_structures (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid not null,
  name text not null,
  spec jsonb not null default '[]',        -- fields, as in blueprints' forms
  strict boolean not null default false,   -- whether other fields are refused
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  foreign key (organization_id, team_id) references teams
);

alter table data_stores add column structure_id uuid;
alter table data_stores add foreign key (organization_id, structure_id) references data_structures;

-- A revision is never used twice, so a record that was removed and made again is another one.
create sequence revisions;
create function next_revision() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  new.revision := nextval('revisions');
  return new;
end $$;
alter table data_store_records add column revision bigint not null default nextval('revisions');
alter table data_store_records alter column revision set default 0;  -- the trigger says it
create trigger next_revision before insert or update on data_store_records for each row execute function next_revision();

-- What a placed module remembers from run to run: where a trigger was, a counter.
create table module_states (
  organization_id uuid not null,
  scenario_id uuid not null,
  module int not null,                     -- its id in the blueprint
  state jsonb not null,
  revision bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (organization_id, scenario_id, module),
  foreign key (organization_id, scenario_id) references scenarios on delete cascade
);
create trigger next_revision before insert or update on module_states for each row execute function next_revision();

-- Custom variables: `var.organization.x` and `var.team.x`.
create table variables (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid,                            -- null: the organisation's
  name text not null,
  value jsonb not null,                    -- {"type", "value"}
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  unique nulls not distinct (organization_id, team_id, name),
  foreign key (organization_id, team_id) references teams
);

alter table runs add column name text;
alter table scenarios add column errors_in_row int not null default 0;

select guard_table(name) from unnest(array['data_structures', 'module_states', 'variables']) name;
grant select, insert, update, delete on data_structures, module_states, variables to junctor_engine;
grant select, insert, update, delete on data_structures, variables to junctor_api;
grant select, delete on module_states to junctor_api;
revoke execute on function next_revision() from public;
