-- One address for all that a vendor tells an app of an organisation: handed on to the hooks that want it.

create table app_hooks (
  organization_id uuid not null references organizations,
  id uuid not null,
  connector text not null,
  app text not null,                       -- what the vendor's deliveries call the app
  token text not null unique,              -- 128 random bits, the end of its address
  settings jsonb not null default '{}',    -- public keys and switches; nothing secret
  enabled boolean not null default true,
  generation bigint not null default 1,    -- raised by whatever changes who gets what
  delivered bigint not null default 0,     -- deliveries that somebody wanted
  unwanted bigint not null default 0,      -- acknowledged, and kept nowhere
  refused bigint not null default 0,       -- not genuine, or another app's
  refused_reason text,                     -- of the last one
  last_at timestamptz,                     -- when the last genuine one came
  revision int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  updated_at timestamptz not null default now(),
  updated_by text not null,
  primary key (organization_id, id),
  unique (organization_id, connector, app)
) with (fillfactor = 50);

-- Who gets what is kept ready by the servers. Each delivery's transaction compares the generation, so
-- that none is handed out by a list that was out of date; the notification only spares them the wait.
create function note_subscribers() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update app_hooks set generation = generation + 1
  where organization_id = coalesce(new.organization_id, old.organization_id);
  if found then
    perform pg_notify('junctor_hooks', '');
  end if;
  return null;
end $$;
create trigger note_subscribers after insert or delete or update of scenario_id, connection_id, settings, sealed, enabled
  on hooks for each row execute function note_subscribers();
create trigger note_subscribers after delete or update of active, published
  on scenarios for each row execute function note_subscribers();
create trigger note_subscribers after delete or update of settings
  on connections for each row execute function note_subscribers();
create trigger note_subscribers after update of account_id
  on connection_states for each row execute function note_subscribers();

-- Since when an account allows what it does now: what the vendor says of a time before it is old.
alter table connection_states add column authorized_at timestamptz;
create function note_authorized() returns trigger language plpgsql as $$
begin
  new.authorized_at = clock_timestamp();
  return new;
end $$;
create trigger note_authorized before update of account_id on connection_states
  for each row execute function note_authorized();

select guard_table('app_hooks');
grant select, insert, update, delete on app_hooks to junctor_engine;
grant select, insert, update, delete on app_hooks to junctor_api;
revoke execute on function note_subscribers(), note_authorized() from public;
