-- What a connection knows about itself: tokens, health, the age of its key, requests and usage.

-- One row per connection, made by a trigger, so that it always is there.
create table connection_states (
  organization_id uuid not null,
  connection_id uuid not null,
  tokens bytea,                            -- access and refresh token, sealed; null: not authorised
  expires_at timestamptz,                  -- of the access token; null: not said
  generation bigint not null default 0,    -- raised with each new pair of tokens
  renewer uuid,                            -- who renews them now
  renewing_until timestamptz,              -- and how long nobody else does
  account_id text,                         -- whose account it is, at the vendor
  account text,                            -- the same for people
  broken_at timestamptz,                   -- since when it must be connected anew
  broken_reason text,
  refused boolean not null default false,  -- whether the vendor would not renew the tokens
  secret_at timestamptz not null default now(),  -- how old its key is
  remind_days int not null default 90 check (remind_days between 0 and 3650),  -- 0: no reminder
  primary key (organization_id, connection_id),
  foreign key (organization_id, connection_id) references connections on delete cascade
);

insert into connection_states (organization_id, connection_id, secret_at)
select organization_id, id, updated_at from connections;

-- Another secret is a new key, and its account is not known to be refused.
create function note_secret() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'UPDATE' then
    if new.sealed = old.sealed then
      return null;
    end if;
  end if;
  insert into connection_states (organization_id, connection_id) values (new.organization_id, new.id)
  on conflict (organization_id, connection_id) do update
    set secret_at = now(), broken_at = null, broken_reason = null, refused = false;
  return null;
end $$;
create trigger note_secret after insert or update on connections for each row execute function note_secret();

-- Authorisations that somebody has begun. The id is a hash of the state that the browser brings back.
create table authorizations (
  organization_id uuid not null,
  id bytea not null,
  connection_id uuid not null,
  base_url text not null,                  -- as it was then; a code is not sent elsewhere
  redirect_uri text not null,
  sealed bytea not null,                   -- PKCE verifier
  browser bytea,                           -- hash of the cookie of who began it; null: a command
  switch_account boolean not null,         -- whether it may become another account
  actor text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  done_at timestamptz,
  account text,
  error text,
  primary key (organization_id, id),
  unique (id),
  foreign key (organization_id, connection_id) references connections on delete cascade
);

-- The last requests of each connection, redacted.
create table connection_requests (
  organization_id uuid not null,
  connection_id uuid not null,
  id uuid not null,                        -- in the order of time
  at timestamptz not null,
  run_id uuid,
  method text not null,
  url text not null,                       -- without its query's values
  status int,                              -- null: no complete answer
  error text,
  milliseconds real not null,
  sent bigint not null,                    -- bytes of the bodies
  received bigint not null,
  primary key (organization_id, connection_id, id),
  foreign key (organization_id, connection_id) references connections on delete cascade
);

create table connection_usage (
  organization_id uuid not null,
  connection_id uuid not null,
  hour timestamptz not null,
  requests bigint not null,
  failed bigint not null,                  -- no 2xx or 3xx, or no answer
  refused bigint not null,                 -- 401
  sent bigint not null,
  received bigint not null,
  primary key (organization_id, connection_id, hour),
  foreign key (organization_id, connection_id) references connections on delete cascade
);

select guard_table(name) from unnest(array['connection_states', 'authorizations', 'connection_requests', 'connection_usage']) name;
grant select, insert, update, delete on connection_states, authorizations, connection_requests, connection_usage to junctor_engine;
grant select, update on connection_states to junctor_api;
grant select on authorizations, connection_requests, connection_usage to junctor_api;
revoke execute on function note_secret() from public;
