-- What runs wait for: a delivery to a hook, or a person's decision. A row is closed once, and what
-- it was closed with is what its run goes on with, however often that is replayed.

create table waits (
  organization_id uuid not null,
  id uuid not null,                        -- of its run and the operation's address, so there is one
  run_id uuid not null,
  scenario_id uuid not null,               -- the run's
  module int not null,
  kind text not null check (kind in ('delivery', 'approval')),
  hook_id uuid,
  sealed bytea not null,                   -- what must match, or the question and its link
  token_hash bytea,                        -- sha-256 of the link's token; it has 128 random bits
  since timestamptz,                       -- deliveries from then on count
  opened_at timestamptz not null default clock_timestamp(),
  until timestamptz not null,
  looked boolean not null default false,   -- back, at what came before it opened
  watching boolean not null default true,  -- deliveries of the hook are looked at
  also boolean not null default false,     -- the hook's own scenario runs, too
  delivery_id uuid,                        -- what answered it
  answered_at timestamptz,
  answered_by text,
  answer bytea,                            -- sealed
  closed_at timestamptz,
  primary key (organization_id, id)
);
create index waits_watching on waits (organization_id, hook_id, opened_at) where watching and hook_id is not null;
create index waits_of_run on waits (organization_id, run_id);
create index waits_open on waits (organization_id, opened_at) where closed_at is null;
create index waits_age on waits (closed_at) where closed_at is not null;
create unique index waits_token on waits (token_hash) where token_hash is not null;
create unique index waits_delivery on waits (organization_id, delivery_id) where delivery_id is not null;  -- answers one
select guard_table('waits');
grant select, insert, update, delete on waits to junctor_engine;
grant select, update on waits to junctor_api;
