-- What is spent of vendors' budgets; one row that all processes change in turn (language/budgets.py).

create table budgets (
  organization_id uuid not null,
  connector text not null,
  name text not null,                      -- which budget of its connection kind
  key text not null,                       -- what the vendor counts by: the connection, or its location
  state jsonb not null,                    -- Bucket.as_record, its times by this server's clock
  updated_at timestamptz not null default now(),
  primary key (organization_id, connector, name, key)
) with (fillfactor = 50);

select guard_table('budgets');
grant select, insert, update, delete on budgets to junctor_engine;
grant select on budgets to junctor_api;
