-- Data stores and what modules remember, as running modules read them. Writes come with a commit.

-- name: record_store
-- A store that is there, and what its records must look like.
select s.id, d.spec, d.strict from data_stores s
left join data_structures d on d.organization_id = s.organization_id and d.id = s.structure_id
where s.organization_id = %(organization)s and s.id = %(store)s

-- name: record_read
select data, revision from data_store_records
where organization_id = %(organization)s and store_id = %(store)s and key = %(key)s

-- name: record_page
-- The next records of a store, in the order of its index; few large ones rather than many: the sum
-- counts up to the row before, so that one always comes. No key is empty, so `coalesce` says the same
-- as "or there is none yet", and stays a bound of the index in a generic plan.
select key, data, revision from (
  select t.key, t.data, t.revision, sum(t.bytes) over (order by t.key) - t.bytes as before
  from (
    select key, data, revision, pg_column_size(data)::bigint as bytes from data_store_records
    where organization_id = %(organization)s and store_id = %(store)s
      and key > coalesce(%(after)s::text, '')
    order by key limit %(limit)s
  ) t
) t where before < %(most)s
order by key

-- name: record_count
-- How many records there are besides these.
select count(*) from data_store_records
where organization_id = %(organization)s and store_id = %(store)s and key <> all(%(keys)s::text[])

-- name: state_read
select state, revision from module_states
where organization_id = %(organization)s and scenario_id = %(scenario)s and module = %(module)s

-- name: structures_bound
-- Data structures by their ids.
select id, spec, strict from data_structures
where organization_id = %(organization)s and id = any(%(ids)s::uuid[])

-- name: record_limit
-- How many records an organisation may keep, if as many were there when they were last counted.
select q.records from quotas q join usages u on u.organization_id = q.organization_id
where q.organization_id = %(organization)s and u.records >= q.records
