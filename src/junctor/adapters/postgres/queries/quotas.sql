-- What organisations may keep and what they keep; confidential runs.

-- name: quota
select queued_deliveries, queued_bytes, stored_bytes, records, queue_minutes, updated_at, updated_by
from quotas where organization_id = %(organization)s

-- name: set_quota
insert into quotas (organization_id, queued_deliveries, queued_bytes, stored_bytes, records, queue_minutes, updated_by)
values (%(organization)s, %(queued_deliveries)s, %(queued_bytes)s, %(stored_bytes)s, %(records)s, %(queue_minutes)s, %(actor)s)
on conflict (organization_id) do update set queued_deliveries = excluded.queued_deliveries,
  queued_bytes = excluded.queued_bytes, stored_bytes = excluded.stored_bytes, records = excluded.records,
  queue_minutes = excluded.queue_minutes, updated_at = now(), updated_by = excluded.updated_by

-- name: usage
-- What one organisation keeps: its queue now, the rest as last counted.
select q.n, q.bytes, q.oldest_at, u.stored_bytes, u.records, u.counted_at
from (
  select count(*)::bigint as n, coalesce(sum(octet_length(payload)), 0)::bigint as bytes,
    min(received_at) filter (where parked_at is null) as oldest_at
  from inbox where organization_id = %(organization)s
) q left join usages u on u.organization_id = %(organization)s

-- name: limited
-- What the door watches: queues with a limit, counted no further than it; and what else is used up.
-- octet_length of a value kept outside the row does not read it.
select q.organization_id, q.queued_deliveries, q.queued_bytes, i.n, i.bytes,
  coalesce(u.stored_bytes >= q.stored_bytes, false), q.stored_bytes, u.stored_bytes
from quotas q left join usages u on u.organization_id = q.organization_id
cross join lateral (
  select count(*)::bigint as n, coalesce(sum(size), 0)::bigint as bytes from (
    select octet_length(payload) as size from inbox i where i.organization_id = q.organization_id
      and (q.queued_deliveries is not null or q.queued_bytes is not null)
    limit case when q.queued_bytes is null then q.queued_deliveries end
  ) i
) i
where q.queued_deliveries is not null or q.queued_bytes is not null or q.stored_bytes is not null

-- name: late
-- Active scenarios whose oldest delivery waits for longer than their organisation bears: it is found
-- by the index, once per backlog.
select o.organization_id, s.id, coalesce(q.queue_minutes, 60), floor(extract(epoch from now() - min(i.received_at)) / 60)::int
from organizations o
left join quotas q on q.organization_id = o.organization_id
join backlog b on b.organization_id = o.organization_id
join scenarios s on s.organization_id = b.organization_id and s.id = b.scenario_id and s.active
cross join lateral (
  select i.received_at from inbox i
  where i.organization_id = b.organization_id and i.scenario_id = b.scenario_id
    and i.order_key = b.order_key and i.parked_at is null
  order by i.id limit 1
) i
where coalesce(q.queue_minutes, 60) > 0
  and i.received_at < now() - make_interval(mins => coalesce(q.queue_minutes, 60))
group by 1, 2, 3 limit 1000

-- name: count_usage
-- octet_length of what is kept outside the row does not read it.
insert into usages (organization_id, stored_bytes, records)
select q.organization_id,
  case when q.stored_bytes is null then 0 else
    coalesce((select sum(size) from blobs b where b.organization_id = q.organization_id), 0)
    + coalesce((select sum(octet_length(data)) from segments s where s.organization_id = q.organization_id), 0) end,
  case when q.records is null then 0 else
    (select count(*) from data_store_records r where r.organization_id = q.organization_id) end
from quotas q where (q.stored_bytes is not null or q.records is not null)
  and (%(organization)s::uuid is null or q.organization_id = %(organization)s)
on conflict (organization_id) do update
  set stored_bytes = excluded.stored_bytes, records = excluded.records, counted_at = now()

-- name: confidential
-- Scenarios whose ended runs keep nothing, and up to where all are wiped.
select organization_id, id from scenarios where confidential

-- name: moment
select now()

-- name: ended_confidential
-- Runs that have ended and are not wiped, oldest first; `whole`: looked for in all of the history.
select r.id from runs r join scenarios s on s.organization_id = r.organization_id and s.id = r.scenario_id
where r.organization_id = %(organization)s and r.scenario_id = %(scenario)s and r.state in ('finished', 'discarded')
  and r.wiped_at is null
  and r.id >= case when %(whole)s or s.wiped_to is null then '00000000-0000-0000-0000-000000000000' else s.wiped_to end
order by r.id limit %(batch)s

-- name: wipe_answers
-- What a run answered its caller outlives it for five minutes: for who waits, for its caller's run,
-- and for the sender that repeats the delivery. `whole`: all there are, not only the last ones.
delete from answers a using runs r
where a.organization_id = %(organization)s and r.organization_id = a.organization_id and r.id = a.delivery_id
  and r.scenario_id = %(scenario)s and r.state in ('finished', 'discarded')
  and r.ended_at < now() - interval '5 minutes' and (%(whole)s or r.ended_at > now() - interval '20 minutes')

-- name: wipe_requests
-- What was kept of requests before the scenario was confidential, or is too late to know it.
update connection_requests c set url = substring(c.url from '^[^:]+://[^/?#]+')
from runs r
where c.organization_id = %(organization)s and r.organization_id = c.organization_id and r.id = c.run_id
  and r.scenario_id = %(scenario)s and r.state in ('finished', 'discarded') and c.url ~ '^[^:]+://[^/?#]+[/?#]'

-- name: wiped
-- Every run before it that has ended is wiped: before five minutes ago, and the first moment of what
-- has not ended or not begun.
update scenarios s set wiped_to = least(uuid7_floor(%(began)s::timestamptz - interval '5 minutes'),
  (select (left(r.id::text, 13) || '-0000-0000-000000000000')::uuid from runs r
    where r.organization_id = s.organization_id and r.scenario_id = s.id
      and r.state in ('waiting', 'incomplete', 'uncertain') order by r.id limit 1),
  (select (left(i.id::text, 13) || '-0000-0000-000000000000')::uuid from inbox i
    where i.organization_id = s.organization_id and i.scenario_id = s.id order by i.id limit 1))
where s.organization_id = %(organization)s and s.id = %(scenario)s and s.confidential
