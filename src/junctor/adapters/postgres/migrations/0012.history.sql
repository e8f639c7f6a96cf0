-- Searching the history, defaults of what it keeps, and the erasure of a person's data.

-- One vector of words per run, redacted and capped; written by a job (app/indexing.py), gone with
-- its run. It is as readable as run names and data stores are: only journals are sealed.
create table run_texts (
  organization_id uuid not null,
  run_id uuid not null,
  ended_at timestamptz,                    -- of the run as it was read: another end, another text
  words tsvector not null,                 -- terms as in language/people.py
  partial boolean not null,                -- more was in the run than is here
  primary key (organization_id, run_id)
);
create index run_texts_words on run_texts using gin (words);

-- What ended lately is found by blocks: runs are written when they end.
create index runs_ended on runs using brin (ended_at) with (pages_per_range = 16);

-- How far a job that goes through the history has come.
create table history_marks (
  name text primary key,                   -- of the job; not an organisation's
  at timestamptz not null
);

-- Scenarios begin with their organisation's.
alter table organizations add column retention text not null default 'standard'
  check (retention in ('short', 'standard', 'long'));

-- Erasures: what was asked (never who: a slow hash of it), how far it has come, what it found.
create table erasures (
  organization_id uuid not null references organizations,
  id uuid not null,
  term bytea not null,                     -- scrypt of what is looked for, salted with the organisation
  options jsonb not null,
  place text,                              -- where it goes on; null: nowhere begun
  after jsonb,                             -- the last key done there
  counts jsonb not null default '{}',
  unfinished jsonb not null default '[]',  -- some of the runs that may go on with what was erased
  started_at timestamptz not null default clock_timestamp(),
  started_by text not null,
  ended_at timestamptz,
  primary key (organization_id, id)
);
create index erasures_open on erasures (organization_id, term) where ended_at is null;

-- The marks are no organisation's: only the engine sees them.
alter table history_marks enable row level security;
alter table history_marks force row level security;
do $$
begin
  execute format('create policy owner_all on history_marks to %I using (true) with check (true)', current_user);
end $$;
create policy engine_all on history_marks to junctor_engine using (true) with check (true);
create policy api_own on history_marks to junctor_api using (false);

select guard_table(name) from unnest(array['run_texts', 'erasures']) name;
grant select, insert, update, delete on run_texts, erasures, history_marks to junctor_engine;
grant select on run_texts, erasures to junctor_api;
grant execute on function uuid7_floor to junctor_api;
