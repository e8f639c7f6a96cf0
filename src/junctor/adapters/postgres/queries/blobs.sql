-- Large values in sealed chunks. Role junctor_engine.

-- name: put
insert into blobs (organization_id, owner, id, size) values (%(organization)s, %(owner)s, %(id)s, %(size)s)
on conflict do nothing
returning 1

-- name: put_chunk
insert into blob_chunks (organization_id, owner, id, n, data)
values (%(organization)s, %(owner)s, %(id)s, %(n)s, %(data)s)

-- name: chunks
select data from blob_chunks
where organization_id = %(organization)s and owner = %(owner)s and id = %(id)s order by n

-- name: chunk
select data from blob_chunks
where organization_id = %(organization)s and owner = %(owner)s and id = %(id)s and n = %(n)s

-- name: sized
-- A stream's size is known at its end; 0 till then.
update blobs set size = %(size)s where organization_id = %(organization)s and owner = %(owner)s and id = %(id)s

-- name: delete
delete from blobs where organization_id = %(organization)s and owner = %(owner)s
  and id = coalesce(%(id)s, id)
