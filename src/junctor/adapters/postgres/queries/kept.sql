-- What runs write to data stores and remember, applied in the transaction of their commit. All of
-- it is for few writes at a time: a run without data stores never comes here.

-- name: kept_lock
-- One writer at a time of each record and state, in one order; `api` writers meet the revision.
select pg_advisory_xact_lock(hashtextextended(k, 8311)) from (select unnest(%(names)s::text[]) as k order by 1) names

-- name: kept_held
-- Which of these writes are ours still; as in `commit`.
select w.i::int from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(order_keys)s::text[], %(fences)s::bigint[])
  with ordinality w(organization_id, scenario_id, order_key, fence, i)
join backlog b on b.organization_id = w.organization_id and b.scenario_id = w.scenario_id
  and b.order_key = w.order_key and b.fence = w.fence
for key share of b

-- name: kept_known
-- Which were applied before: tried again after a lost connection.
select w.i::int from unnest(%(organizations)s::uuid[], %(runs)s::uuid[], %(seqs)s::int[])
  with ordinality w(organization_id, run_id, seq, i)
where exists (select from segments s
  where s.organization_id = w.organization_id and s.run_id = w.run_id and s.seq = w.seq)

-- name: kept_records
-- Revisions of records as they are.
select w.i::int, r.revision from unnest(%(organizations)s::uuid[], %(stores)s::uuid[], %(keys)s::text[])
  with ordinality w(organization_id, store_id, key, i)
join data_store_records r on r.organization_id = w.organization_id and r.store_id = w.store_id and r.key = w.key
for update of r

-- name: kept_states
-- The same of what modules remember.
select w.i::int, m.revision from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(modules)s::int[])
  with ordinality w(organization_id, scenario_id, module, i)
join module_states m on m.organization_id = w.organization_id and m.scenario_id = w.scenario_id and m.module = w.module
for update of m

-- name: kept_clear
delete from data_store_records r using unnest(%(organizations)s::uuid[], %(stores)s::uuid[]) w(organization_id, store_id)
where r.organization_id = w.organization_id and r.store_id = w.store_id

-- name: kept_remove
delete from data_store_records r using unnest(%(organizations)s::uuid[], %(stores)s::uuid[], %(keys)s::text[])
  w(organization_id, store_id, key)
where r.organization_id = w.organization_id and r.store_id = w.store_id and r.key = w.key

-- name: kept_put
insert into data_store_records as r (organization_id, store_id, key, data, updated_by)
select w.organization_id, w.store_id, w.key, w.data::jsonb, w.actor
from unnest(%(organizations)s::uuid[], %(stores)s::uuid[], %(keys)s::text[], %(data)s::text[], %(actors)s::text[])
  w(organization_id, store_id, key, data, actor)
join data_stores s on s.organization_id = w.organization_id and s.id = w.store_id  -- unless it was deleted
on conflict (organization_id, store_id, key) do update
set data = excluded.data, updated_by = excluded.updated_by, updated_at = clock_timestamp()

-- name: kept_remember
insert into module_states as m (organization_id, scenario_id, module, state)
select w.organization_id, w.scenario_id, w.module, w.state::jsonb
from unnest(%(organizations)s::uuid[], %(scenarios)s::uuid[], %(modules)s::int[], %(states)s::text[])
  w(organization_id, scenario_id, module, state)
on conflict (organization_id, scenario_id, module) do update
set state = excluded.state, updated_at = clock_timestamp()

-- name: confidential_scenarios
select organization_id, id from scenarios where confidential

-- name: wipe
-- Journals and large values of confidential runs that have ended; of their rows, what was said and who
-- it was about; what they asked and were answered. To whom a delivery was given stays while that is there.
with gone as (
  delete from segments where organization_id = %(organization)s and run_id = any(%(runs)s::uuid[])
), blob as (
  delete from blobs where organization_id = %(organization)s and owner = any(%(runs)s::uuid[])
), asked as (
  delete from waits w where w.organization_id = %(organization)s and w.run_id = any(%(runs)s::uuid[])
    and not exists (select from inbox i where i.organization_id = w.organization_id and i.id = w.delivery_id)
), said as (
  update waits w set answer = null, answered_by = null
  from inbox i where w.organization_id = %(organization)s and w.run_id = any(%(runs)s::uuid[])
    and i.organization_id = w.organization_id and i.id = w.delivery_id
)
update runs set order_key = case when order_key like 'k:%%' then '' else order_key end,
  wiped_at = now(), segments = 0, name = null, error = case when error is not null then
    jsonb_build_object('code', error -> 'code', 'type', error -> 'type', 'params', '{}'::jsonb,
      'message', 'This run was confidential: what was said is not kept.') end
where organization_id = %(organization)s and id = any(%(runs)s::uuid[])
