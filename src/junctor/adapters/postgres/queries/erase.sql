-- Erasing a person's data; role junctor_engine. Everything goes on after the last key done.

-- name: open_erasure
-- One that was begun and not ended, of the same words and options.
select id, place, after, counts, unfinished from erasures
where organization_id = %(organization)s and term = %(term)s and options = %(options)s::jsonb and ended_at is null
order by started_at limit 1

-- name: begin_erasure
insert into erasures (organization_id, id, term, options, started_by)
values (%(organization)s, %(id)s, %(term)s, %(options)s::jsonb, %(actor)s)

-- name: note_erasure
update erasures set place = %(place)s, after = %(after)s::jsonb, counts = %(counts)s::jsonb,
  unfinished = %(unfinished)s::jsonb, ended_at = case when %(ended)s then clock_timestamp() end
where organization_id = %(organization)s and id = %(id)s

-- name: runs
-- Which may name them: by the index, or what is not (wholly) in it.
select r.id, r.state from runs r
left join run_texts t on t.organization_id = r.organization_id and t.run_id = r.id
where r.organization_id = %(organization)s and (%(after)s::uuid is null or r.id > %(after)s)
  and (%(thorough)s or t.run_id is null or t.partial or t.ended_at is distinct from r.ended_at
    or t.words @@ %(words)s::tsquery or r.state not in ('finished', 'discarded'))
order by r.id limit %(limit)s

-- name: lock_run
-- One eraser at a time, and none beside the end of the run.
select name, error, dropped, actor, order_key, state from runs
where organization_id = %(organization)s and id = %(run)s for update

-- name: rewrite_run
update runs set name = %(name)s, error = %(error)s::jsonb, dropped = %(dropped)s::jsonb, actor = %(actor)s,
  order_key = %(order_key)s
where organization_id = %(organization)s and id = %(run)s

-- name: segments
select seq, data, blobs from segments
where organization_id = %(organization)s and run_id = %(run)s and seq > %(after)s order by seq limit %(limit)s

-- name: rewrite_segment
update segments set data = %(data)s, blobs = %(blobs)s::bytea[]
where organization_id = %(organization)s and run_id = %(run)s and seq = %(seq)s

-- name: blobs
select id, size from blobs where organization_id = %(organization)s and owner = %(run)s order by id

-- name: inbox
select i.id, i.payload, i.order_key from inbox i
where i.organization_id = %(organization)s and (%(after)s::uuid is null or i.id > %(after)s)
order by i.id limit %(limit)s

-- name: rewrite_delivery
update inbox set payload = %(payload)s where organization_id = %(organization)s and id = %(id)s
