-- The spine: organisations and what they own, the inbox, ownership of backlogs, runs and their journal.
-- Rules: organization_id leads every key; ids are UUIDv7, so a row's day is read from its id;
-- every write names its actor; row level security is forced on every table.

-- Three roles: the owner migrates, the engine works over all organisations, the API over one.
do $$
begin
  if not exists (select from pg_roles where rolname = 'junctor_engine') then create role junctor_engine nologin; end if;
  if not exists (select from pg_roles where rolname = 'junctor_api') then create role junctor_api nologin; end if;
exception when duplicate_object or unique_violation then null;  -- another database of this cluster made them just now
end $$;

do $$
begin
  execute format('grant junctor_engine, junctor_api to %I', current_user);
exception when insufficient_privilege then  -- roles that another owner made and granted before are fine
  if not (pg_has_role(current_user, 'junctor_engine', 'member') and pg_has_role(current_user, 'junctor_api', 'member')) then
    raise;
  end if;
end $$;

create table organizations (
  organization_id uuid primary key,
  name text not null,
  zone text not null default 'UTC',
  locale text not null default 'en',
  country text not null default '',
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null
);

create table teams (
  organization_id uuid not null references organizations,
  id uuid not null,
  name text not null,
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  primary key (organization_id, id)
);

create table tokens (
  organization_id uuid not null references organizations,
  id uuid not null,
  name text not null,
  hash bytea not null unique,              -- sha-256 of the token; it has 256 random bits
  scopes text[] not null,                  -- 'owner', or rights as in app/api/permissions.py
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  used_at timestamptz,
  revoked_at timestamptz,
  primary key (organization_id, id)
);

create table data_keys (
  organization_id uuid not null references organizations,
  id uuid not null,
  master text not null,                    -- id of the master key that wraps it
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz,
  primary key (organization_id, id)
);

create table connections (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid not null,
  name text not null,
  connector text not null,
  kind text not null,
  base_url text not null,                  -- part of what the secret is sealed to
  settings jsonb not null default '{}',    -- what is not secret
  sealed bytea not null,                   -- what is, AES-256-GCM
  tested_at timestamptz,
  test_error text,
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  unique (organization_id, name),
  foreign key (organization_id, team_id) references teams
);

create table scenarios (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid not null,
  name text not null,
  active boolean not null default false,
  draft int not null default 1,            -- version being edited
  published int,                           -- version that runs
  detail text not null default 'full' check (detail in ('full', 'first', 'errors')),
  retention text not null default 'standard' check (retention in ('short', 'standard', 'long')),
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  foreign key (organization_id, team_id) references teams
);

create table scenario_versions (
  organization_id uuid not null,
  scenario_id uuid not null,
  version int not null,
  blueprint text not null,                 -- as imported: numbers keep their spelling
  bindings jsonb not null default '{}',    -- {"connections": {"3": "uuid"}, "hooks": {"1": "uuid"}} by module id
  created_at timestamptz not null default now(),
  created_by text not null,
  primary key (organization_id, scenario_id, version),
  foreign key (organization_id, scenario_id) references scenarios on delete cascade
);

create table hooks (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid not null,
  scenario_id uuid,
  module int,                              -- the trigger's id in the blueprint
  name text not null,
  connector text not null,
  kind text not null,                      -- the trigger module's name
  token text not null unique,              -- 128 random bits, the end of its address
  connection_id uuid,                      -- used to register it with the vendor
  settings jsonb not null default '{}',
  sealed bytea,                            -- signing secrets
  registration jsonb,                      -- what the vendor knows: {"id", "url", "event"}
  registration_error text,
  enabled boolean not null default true,
  refused bigint not null default 0,       -- deliveries with a bad signature
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  foreign key (organization_id, team_id) references teams,
  foreign key (organization_id, scenario_id) references scenarios on delete set null (scenario_id)
);

create table data_stores (
  organization_id uuid not null,
  id uuid not null,
  team_id uuid not null,
  name text not null,
  structure jsonb not null default '{}',
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  foreign key (organization_id, team_id) references teams
);

create table data_store_records (
  organization_id uuid not null,
  store_id uuid not null,
  key text not null,
  data jsonb not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, store_id, key),
  foreign key (organization_id, store_id) references data_stores on delete cascade
);

create table blobs (
  organization_id uuid not null,
  id bytea not null,                       -- 16 bytes: of its content's hash, or random for bodies
  owner uuid not null,                     -- the run or delivery it belongs to
  size bigint not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, owner, id)
);

create table blob_chunks (
  organization_id uuid not null,
  owner uuid not null,
  id bytea not null,
  n int not null,
  data bytea not null,                     -- sealed
  primary key (organization_id, owner, id, n),
  foreign key (organization_id, owner, id) references blobs on delete cascade
);
alter table blob_chunks alter column data set storage external;

-- Deliveries not yet finished. A row leaves in the transaction that ends its run.
create table inbox (
  organization_id uuid not null,
  id uuid not null,                        -- UUIDv7; also the id of the run it starts
  scenario_id uuid not null,
  order_key text not null default '',
  hook_id uuid,
  received_at timestamptz not null default clock_timestamp(),
  payload bytea not null,                  -- msgpack, see runtime/envelope.py
  blob_id bytea,                           -- the body, when it is large
  server text,                             -- who waits for an answer
  attempts smallint not null default 0,
  parked_at timestamptz,
  parked_reason text,
  primary key (organization_id, id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.2);
create index inbox_take on inbox (organization_id, scenario_id, order_key, id) where parked_at is null;
alter table inbox alter column payload set storage external;

-- What makes two deliveries the same event, remembered for seven days.
create table seen (
  organization_id uuid not null,
  hook_id uuid not null,
  key text not null,
  delivery_id uuid not null,
  seen_at timestamptz not null default now(),
  duplicates int not null default 0,
  last_duplicate_at timestamptz,
  primary key (organization_id, hook_id, key)
) with (fillfactor = 80);
create index seen_age on seen (seen_at);

-- Who owns which scenario's work. A row exists while there may be something to do.
create sequence fences;
create table backlog (
  organization_id uuid not null,
  scenario_id uuid not null,
  order_key text not null default '',
  n bigint not null default 1,             -- signals; raised by every delivery
  idle boolean not null default false,     -- nothing in the inbox, only waits
  oldest_at timestamptz not null default clock_timestamp(),
  due_at timestamptz,                      -- the first wait that ends
  blocked_by_run uuid,                     -- sequential work stands behind this run
  lease_until timestamptz not null default '-infinity',
  fence bigint not null default 0,         -- 0: nobody's; from one sequence, so never reused
  owner text,
  attempts smallint not null default 0,    -- leases that ended by a crash
  primary key (organization_id, scenario_id, order_key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index backlog_ready on backlog (organization_id, oldest_at);

create table runs (
  organization_id uuid not null,
  id uuid not null,                        -- UUIDv7
  retention text not null,
  scenario_id uuid not null,
  version int not null,
  order_key text not null default '',
  state text not null check (state in ('running', 'waiting', 'finished', 'incomplete', 'uncertain', 'discarded')),
  wait_reason text check (wait_reason in ('time', 'delivery', 'approval')),
  due_at timestamptz,
  engine int not null default 1,
  trigger text not null default 'delivery',  -- delivery, manual, schedule, replay
  actor text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  operations bigint not null default 0,
  bytes bigint not null default 0,
  segments int not null default 0,
  error jsonb,
  failed_module int,
  dropped jsonb,
  primary key (organization_id, id, retention)
) partition by list (retention);
create index runs_by_scenario on runs (organization_id, scenario_id, id);
create index runs_unfinished on runs (organization_id, scenario_id, due_at) where state in ('waiting', 'incomplete', 'uncertain');

create table segments (
  organization_id uuid not null,
  run_id uuid not null,
  retention text not null,
  seq int not null,
  data bytea not null,                     -- format byte, key id, sealed msgpack + zstd
  blobs bytea[] not null default '{}',
  primary key (organization_id, run_id, seq, retention)
) partition by list (retention);
alter table segments alter column data set storage external;

create table runs_kept partition of runs for values in ('kept');
create table segments_kept partition of segments for values in ('kept');
create table runs_short partition of runs for values in ('short') partition by range (id);
create table runs_standard partition of runs for values in ('standard') partition by range (id);
create table runs_long partition of runs for values in ('long') partition by range (id);
create table segments_short partition of segments for values in ('short') partition by range (run_id);
create table segments_standard partition of segments for values in ('standard') partition by range (run_id);
create table segments_long partition of segments for values in ('long') partition by range (run_id);
create table runs_short_default partition of runs_short default;
create table runs_standard_default partition of runs_standard default;
create table runs_long_default partition of runs_long default;
create table segments_short_default partition of segments_short default;
create table segments_standard_default partition of segments_standard default;
create table segments_long_default partition of segments_long default;

-- The first UUIDv7 of an instant.
create function uuid7_floor(at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Makes the day partitions of runs and segments, and their rules; run by the maintenance job.
create function ensure_partitions(first date, days int) returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made int := 0;
  parent text;
  class text;
  name text;
  day date;
begin
  foreach parent in array array['runs', 'segments'] loop
    foreach class in array array['short', 'standard', 'long'] loop
      for i in 0 .. days - 1 loop
        day := first + i;
        name := format('%s_%s_%s', parent, class, to_char(day, 'YYYYMMDD'));
        if to_regclass(name) is null then
          begin
            execute format('create table %I partition of %I for values from (%L) to (%L)', name,
              parent || '_' || class, uuid7_floor(day::timestamp at time zone 'UTC'),
              uuid7_floor((day + 1)::timestamp at time zone 'UTC'));
            perform guard_table(name);
            made := made + 1;
          exception when check_violation or duplicate_table then null;  -- rows of that day lie in the default partition already
          end;
        end if;
      end loop;
    end loop;
  end loop;
  return made;
end $$;

-- Day partitions of a class that end at or before a day, oldest first, with their tables.
create function old_partitions(class text, before date) returns table (day date, runs text, segments text)
language sql stable set search_path = public as $$
  select d.day, 'runs_' || class || '_' || to_char(d.day, 'YYYYMMDD'), 'segments_' || class || '_' || to_char(d.day, 'YYYYMMDD')
  from (
    select distinct to_date(substring(c.relname from '[0-9]{8}$'), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in (to_regclass('runs_' || class), to_regclass('segments_' || class))
      and c.relname ~ '_[0-9]{8}$'
  ) d where d.day < before order by d.day
$$;

-- Drops the partitions of one day; refuses (false) while an unfinished run is in it, or the journal
-- of a delivery that waits.
create function drop_partitions(class text, day date) returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
  runs_name text := format('runs_%s_%s', class, to_char(day, 'YYYYMMDD'));
  segments_name text := format('segments_%s_%s', class, to_char(day, 'YYYYMMDD'));
  busy boolean := false;
begin
  if class not in ('short', 'standard', 'long') then
    raise exception 'no retention class %', class;
  end if;
  set local lock_timeout = '2s';  -- never stand in the way of the workers
  if to_regclass(runs_name) is not null then
    execute format('lock table %I in access exclusive mode', runs_name);
    execute format('select exists (select from %I where state not in (''finished'', ''discarded''))', runs_name) into busy;
  end if;
  if not busy and to_regclass(segments_name) is not null then
    execute format('lock table %I in access exclusive mode', segments_name);
    execute format('select exists (select from %I s join inbox i on i.organization_id = s.organization_id and i.id = s.run_id)',
      segments_name) into busy;
  end if;
  if busy then
    return false;
  end if;
  execute format('drop table if exists %I', runs_name);
  execute format('drop table if exists %I', segments_name);
  return true;
end $$;

create table answers (
  organization_id uuid not null,
  delivery_id uuid not null,
  server text,
  status int not null,
  headers jsonb not null default '[]',
  body bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, delivery_id)
);
create index answers_by_server on answers (server, created_at);
create index answers_age on answers (created_at);

create table nodes (
  name text primary key,                   -- of a process; not an organisation's
  role text not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  details jsonb not null default '{}'
);

create table idempotency (
  organization_id uuid not null,
  key text not null,
  request bytea not null,                  -- hash of method, path and body
  status int,
  body bytea,
  created_at timestamptz not null default now(),
  primary key (organization_id, key)
);

-- Append-only; each row's hash covers the one before.
create table audit (
  organization_id uuid not null,
  seq bigint not null,
  at timestamptz not null default now(),
  actor text not null,
  verb text not null,
  object text not null,
  details jsonb not null default '{}',
  previous bytea not null,
  hash bytea not null,
  primary key (organization_id, seq)
);

-- What a row's hash is made of.
create function audit_hash(previous bytea, organization uuid, seq bigint, at timestamptz, actor text, verb text, object text, details jsonb)
returns bytea language sql immutable as $$
  select sha256(previous || convert_to(jsonb_build_array(
    organization, seq, (extract(epoch from at) * 1000000)::bigint, actor, verb, object, details)::text, 'UTF8'))
$$;

-- Appends in the caller's transaction and role; writers of one organisation queue until it ends.
create function append_audit(organization uuid, actor text, verb text, object text, details jsonb)
returns bigint language plpgsql set search_path = public as $$
declare
  last record;
  now_at timestamptz := clock_timestamp();
begin
  perform pg_advisory_xact_lock(hashtextextended(organization::text, 1096107092));
  select a.seq, a.hash into last from audit a where a.organization_id = organization order by a.seq desc limit 1;
  if not found then
    select 0::bigint as seq, ''::bytea as hash into last;
  end if;
  insert into audit (organization_id, seq, at, actor, verb, object, details, previous, hash)
  values (organization, last.seq + 1, now_at, actor, verb, object, details, last.hash,
    audit_hash(last.hash, organization, last.seq + 1, now_at, actor, verb, object, details));
  return last.seq + 1;
end $$;

-- The first row that was changed, removed or put in; null: the chain holds.
create function verify_audit(organization uuid) returns bigint language sql stable set search_path = public as $$
  select min(seq) from (
    select a.seq,
      a.hash = audit_hash(a.previous, a.organization_id, a.seq, a.at, a.actor, a.verb, a.object, a.details)
        and a.previous = coalesce(lag(a.hash) over w, ''::bytea)
        and a.seq = row_number() over w as holds
    from audit a where a.organization_id = organization
    window w as (order by a.seq)
  ) rows where not holds
$$;

-- Row level security: the API sees one organisation, named per transaction; the engine all.
create function guard_table(name text) returns void language plpgsql as $$
begin
  execute format('alter table %I enable row level security', name);
  execute format('alter table %I force row level security', name);
  execute format('create policy owner_all on %I to %I using (true) with check (true)', name, current_user);
  execute format('create policy engine_all on %I to junctor_engine using (true) with check (true)', name);
  execute format('create policy api_own on %I to junctor_api
    using (organization_id = nullif(current_setting(''junctor.organization'', true), '''')::uuid)
    with check (organization_id = nullif(current_setting(''junctor.organization'', true), '''')::uuid)', name);
end $$;

do $$
declare
  name text;
begin
  for name in
    select c.relname from pg_class c join pg_namespace s on s.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
    where s.nspname = 'public' and c.relkind in ('r', 'p')
  loop
    perform guard_table(name);
  end loop;
end $$;

grant usage on schema public to junctor_engine, junctor_api;
grant select, insert, update, delete on all tables in schema public to junctor_engine;
grant usage on all sequences in schema public to junctor_engine;
revoke execute on all functions in schema public from public;
grant execute on all functions in schema public to junctor_engine;
grant execute on function append_audit, verify_audit, audit_hash to junctor_api;
revoke insert, update, delete on migrations from junctor_engine;
grant select on migrations to junctor_api;
grant select on organizations, data_keys, blobs, blob_chunks, answers, audit, segments, seen, backlog to junctor_api;
grant update on organizations to junctor_api;
grant select, insert, update, delete on teams, tokens, connections, scenarios, scenario_versions, hooks,
  data_stores, data_store_records, idempotency, inbox, runs to junctor_api;
grant insert, update on backlog, data_keys to junctor_api;
grant delete on backlog, seen to junctor_api;
grant insert on audit to junctor_api;
grant select on nodes to junctor_api;
alter default privileges in schema public grant select, insert, update, delete on tables to junctor_engine;

select ensure_partitions((now() at time zone 'UTC')::date - 1, 9);
