-- Searching the history (role junctor_api), and its index (junctor_engine).

-- name: search
select r.organization_id, r.id, r.scenario_id, r.version, r.retention, r.order_key, r.state, r.wait_reason, r.due_at,
  r.trigger, r.actor, r.started_at, r.ended_at, r.operations, r.bytes, r.segments, r.error, r.failed_module, r.dropped,
  r.name, r.warnings, r.origin, r.edited, r.skipped
from runs r
where r.organization_id = %(organization)s
  and (%(scenario)s::uuid is null or r.scenario_id = %(scenario)s)
  and (%(states)s::text[] = '{}' or r.state = any(%(states)s))
  and (%(triggers)s::text[] = '{}' or r.trigger = any(%(triggers)s))
  and (%(before)s::uuid is null or r.id < %(before)s)
  and (%(name)s::text is null or strpos(lower(r.name), lower(%(name)s)) > 0)
  and (%(since)s::timestamptz is null or r.started_at >= %(since)s)
  and (%(until)s::timestamptz is null or (r.started_at < %(until)s and r.id < uuid7_floor(%(until)s + interval '1 day')))
  and (%(error)s::text is null or lower(r.error ->> 'type') = lower(%(error)s) or lower(r.error ->> 'code') = lower(%(error)s))
  and (%(module)s::int is null or r.failed_module = %(module)s)
  and r.operations >= %(min_operations)s
order by r.id desc limit %(limit)s

-- name: search_words
-- The same, of runs whose text matches: a query of its own, so that the index of words leads. Only
-- their ids: the words are looked up once for many, whatever is then read of them at a time.
select r.id from runs r
where r.organization_id = %(organization)s
  and (%(scenario)s::uuid is null or r.scenario_id = %(scenario)s)
  and (%(states)s::text[] = '{}' or r.state = any(%(states)s))
  and (%(triggers)s::text[] = '{}' or r.trigger = any(%(triggers)s))
  and (%(before)s::uuid is null or r.id < %(before)s)
  and (%(name)s::text is null or strpos(lower(r.name), lower(%(name)s)) > 0)
  and (%(since)s::timestamptz is null or r.started_at >= %(since)s)
  and (%(until)s::timestamptz is null or (r.started_at < %(until)s and r.id < uuid7_floor(%(until)s + interval '1 day')))
  and (%(error)s::text is null or lower(r.error ->> 'type') = lower(%(error)s) or lower(r.error ->> 'code') = lower(%(error)s))
  and (%(module)s::int is null or r.failed_module = %(module)s)
  and r.operations >= %(min_operations)s
  and r.id in (select t.run_id from run_texts t
    where t.organization_id = %(organization)s and t.words @@ %(words)s::tsquery)
order by r.id desc limit %(limit)s

-- name: runs_of
select r.organization_id, r.id, r.scenario_id, r.version, r.retention, r.order_key, r.state, r.wait_reason, r.due_at,
  r.trigger, r.actor, r.started_at, r.ended_at, r.operations, r.bytes, r.segments, r.error, r.failed_module, r.dropped,
  r.name, r.warnings, r.origin, r.edited, r.skipped
from runs r where r.organization_id = %(organization)s and r.id = any(%(ids)s::uuid[]) order by r.id desc

-- name: mark
select at from history_marks where name = %(name)s

-- name: set_mark
insert into history_marks (name, at) values (%(name)s, %(at)s) on conflict (name) do update set at = excluded.at

-- name: behind
-- Runs that ended since, whose text is not that of their end. Confidential scenarios have none.
select r.organization_id, r.id, r.ended_at from runs r
left join run_texts t on t.organization_id = r.organization_id and t.run_id = r.id
left join scenarios s on s.organization_id = r.organization_id and s.id = r.scenario_id
where r.ended_at >= %(since)s and t.ended_at is distinct from r.ended_at
  and coalesce(to_jsonb(s) ->> 'confidential', 'false') = 'false'
order by r.ended_at, r.id limit %(limit)s

-- name: first_end
select min(ended_at) from runs

-- name: run_to_index
select r.ended_at, array[r.name, r.order_key, r.actor], r.error, coalesce(to_jsonb(s) ->> 'confidential', 'false') = 'true' as confidential,
  exists (select from blobs b where b.organization_id = r.organization_id and b.owner = r.id) as blobs
from runs r left join scenarios s on s.organization_id = r.organization_id and s.id = r.scenario_id
where r.organization_id = %(organization)s and r.id = %(run)s
for key share of r  -- an eraser waits, and writes the text anew when it has done

-- name: next_segments
select seq, data, blobs from segments
where organization_id = %(organization)s and run_id = %(run)s and seq > %(after)s order by seq limit %(limit)s

-- name: put_text
insert into run_texts as t (organization_id, run_id, ended_at, words, partial)
values (%(organization)s, %(run)s, %(ended_at)s, array_to_tsvector(%(words)s::text[]), %(partial)s)
on conflict (organization_id, run_id) do update
set ended_at = excluded.ended_at, words = excluded.words, partial = excluded.partial

-- name: drop_text
delete from run_texts where organization_id = %(organization)s and run_id = %(run)s

-- name: forget_texts
-- Of runs that are gone, and of scenarios that became confidential.
delete from run_texts where (organization_id, run_id) in (
  select t.organization_id, t.run_id from run_texts t
  left join runs r on r.organization_id = t.organization_id and r.id = t.run_id
  left join scenarios s on s.organization_id = r.organization_id and s.id = r.scenario_id
  where r.id is null or to_jsonb(s) ->> 'confidential' = 'true'
  limit %(batch)s)
