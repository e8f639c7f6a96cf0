-- Wrapped data keys. Role junctor_engine.

-- name: keys
select id, master, wrapped from data_keys where organization_id = %(organization)s

-- name: lock
select pg_advisory_xact_lock(hashtextextended(%(organization)s::text, 1801812339))

-- name: make
insert into data_keys (organization_id, id, master, wrapped)
values (%(organization)s, %(id)s, %(master)s, %(wrapped)s)

-- name: wrapped_otherwise
select organization_id, id, master, wrapped from data_keys where master <> %(master)s order by 1, 2

-- name: rewrap
update data_keys set master = %(master)s, wrapped = %(wrapped)s
where organization_id = %(organization)s and id = %(id)s and master = %(before)s
