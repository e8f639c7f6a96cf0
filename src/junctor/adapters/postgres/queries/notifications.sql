-- Notices told: channels, the messages for them, and what becomes of these.

-- name: add_channel
insert into notification_channels (organization_id, id, name, kind, address, sealed, kinds, scenarios, pause_seconds, created_by)
values (%(organization)s, %(id)s, %(name)s, %(kind)s, %(address)s, %(sealed)s, %(kinds)s, %(scenarios)s, %(pause)s, %(actor)s)

-- name: channels
select id, name, kind, address, sealed, kinds, scenarios, pause_seconds, enabled, sent_at, failed_at, error, created_at, created_by
from notification_channels where organization_id = %(organization)s order by name limit 200

-- name: channel
select id, name, kind, address, sealed, kinds, scenarios, pause_seconds, enabled, sent_at, failed_at, error, created_at, created_by
from notification_channels where organization_id = %(organization)s and id = %(id)s

-- name: remove_channel
delete from notification_channels where organization_id = %(organization)s and id = %(id)s returning name

-- name: give_up_waiting
-- Of a channel that is about to be switched, both ways: of what a job hands out at that very moment
-- something may be left. Before the channel, as what is sent locks them in that order, too.
with w as (
  select m.organization_id, m.id from notifications m
  where m.organization_id = %(organization)s and m.channel_id = %(id)s and m.sent_at is null and m.given_up_at is null
    and exists (select from notification_channels c
      where c.organization_id = m.organization_id and c.id = m.channel_id and c.enabled <> %(enabled)s)
  order by m.kind, m.id for update
)
update notifications m set closed = true, given_up_at = now(), error = %(message)s from w
where m.organization_id = w.organization_id and m.id = w.id

-- name: switch_channel
-- Nothing if it was so already.
update notification_channels set enabled = %(enabled)s
where organization_id = %(organization)s and id = %(id)s and enabled <> %(enabled)s returning name

-- name: notices
-- Newest first. `told`: the channels that were told.
select n.id, n.kind, n.scenario_id, s.name as scenario, n.run_id, n.subject, n.params, n.created_at, n.told_at,
  array(select distinct c.name from notification_notices l
    join notifications m on m.organization_id = l.organization_id and m.id = l.notification_id and m.sent_at is not null
    join notification_channels c on c.organization_id = m.organization_id and c.id = m.channel_id
    where l.organization_id = n.organization_id and l.notice_id = n.id order by 1) as told
from notices n left join scenarios s on s.organization_id = n.organization_id and s.id = n.scenario_id
where n.organization_id = %(organization)s and (%(kind)s::text is null or n.kind = %(kind)s)
  and (%(scenario)s::uuid is null or n.scenario_id = %(scenario)s)
  and (%(before)s::timestamptz is null or (n.created_at, n.id) < (%(before)s, %(id)s))
order by n.created_at desc, n.id desc limit %(limit)s

-- name: hand_out
-- Gives new notices to the channels that want them: to the message that is open for their kind, or a
-- new one, due when the channel's pause since its last message of that kind is over.
with taken as (
  select organization_id, id, kind, scenario_id from notices where handed_at is null
  order by created_at limit %(limit)s for update skip locked
), wanted as (
  select t.organization_id, c.id as channel_id, t.kind, t.id as notice_id, c.pause_seconds
  from taken t join notification_channels c on c.organization_id = t.organization_id and c.enabled
    and (c.kinds = '{}' or t.kind = any(c.kinds)) and (c.scenarios = '{}' or t.scenario_id = any(c.scenarios))
), opened as (
  insert into notifications as m (organization_id, id, channel_id, kind, due_at)
  select w.organization_id, gen_random_uuid(), w.channel_id, w.kind,
    greatest(now(), max(w.pause_seconds) * interval '1 second' + (
      select max(b.begun_at) from notifications b where b.organization_id = w.organization_id
        and b.channel_id = w.channel_id and b.kind = w.kind))
  from wanted w group by w.organization_id, w.channel_id, w.kind order by 1, 3, 4
  on conflict (organization_id, channel_id, kind) where not closed do update set due_at = m.due_at
  returning m.organization_id, m.id, m.channel_id, m.kind
), linked as (
  insert into notification_notices (organization_id, notification_id, notice_id)
  select o.organization_id, o.id, w.notice_id from wanted w join opened o
    on o.organization_id = w.organization_id and o.channel_id = w.channel_id and o.kind = w.kind
)
update notices n set handed_at = now() from taken t
where n.organization_id = t.organization_id and n.id = t.id

-- name: claim
-- The next message that is due. Until it is known what became of it nobody else takes it: so long
-- `due_at` lies ahead, and that is also when it is tried again. None of those channels and
-- organisations that are being told things just now, and of no channel that is switched off.
update notifications m set closed = true, begun_at = coalesce(m.begun_at, now()), attempts = m.attempts + 1,
  due_at = now() + make_interval(secs => least(180 * 2 ^ m.attempts, 21600))
from (
  select organization_id, id from notifications w
  where sent_at is null and given_up_at is null and due_at <= now()
    and channel_id <> all(%(channels)s::uuid[]) and organization_id <> all(%(organizations)s::uuid[])
    and not exists (select from notification_channels c
      where c.organization_id = w.organization_id and c.id = w.channel_id and not c.enabled)
  order by due_at limit 1 for update skip locked
) d
where m.organization_id = d.organization_id and m.id = d.id
returning m.organization_id, m.id, m.channel_id, m.kind, m.attempts, m.created_at

-- name: receiver
select c.name, c.kind, c.address, c.sealed, o.name, o.zone
from notification_channels c join organizations o on o.organization_id = c.organization_id
where c.organization_id = %(organization)s and c.id = %(channel)s

-- name: contents
-- What a message is about, the most frequent first; how many there are of each, and in all.
select n.scenario_id, s.name, n.subject, count(*)::int, min(n.created_at), max(n.created_at),
  (array_agg(n.run_id order by n.created_at desc))[1], (array_agg(n.params order by n.created_at desc))[1],
  (sum(count(*)) over ())::int, (count(*) over ())::int
from notification_notices l
join notices n on n.organization_id = l.organization_id and n.id = l.notice_id
left join scenarios s on s.organization_id = n.organization_id and s.id = n.scenario_id
where l.organization_id = %(organization)s and l.notification_id = %(id)s
group by n.scenario_id, s.name, n.subject order by 4 desc, 6 desc limit %(limit)s

-- name: sent
-- `error`: what some of a channel's addresses were refused with; the others were told.
with m as (
  update notifications set sent_at = now(), error = %(error)s
  where organization_id = %(organization)s and id = %(id)s returning organization_id, id, channel_id
), c as (
  update notification_channels c set sent_at = now(), error = %(error)s,
    failed_at = case when %(error)s::text is not null then coalesce(c.failed_at, now()) end
  from m
  where c.organization_id = m.organization_id and c.id = m.channel_id
)
update notices n set told_at = now() from notification_notices l, m
where l.organization_id = m.organization_id and l.notification_id = m.id
  and n.organization_id = l.organization_id and n.id = l.notice_id and n.told_at is null

-- name: failed
with m as (
  update notifications set error = %(error)s,
    given_up_at = coalesce(given_up_at, case when %(over)s then now() end)  -- or it was switched off meanwhile
  where organization_id = %(organization)s and id = %(id)s returning organization_id, channel_id
)
update notification_channels c set failed_at = coalesce(c.failed_at, now()), error = %(error)s from m
where c.organization_id = m.organization_id and c.id = m.channel_id

-- name: forget_notifications
delete from notifications where (organization_id, id) in (
  select organization_id, id from notifications
  where created_at < now() - interval '90 days' and (sent_at is not null or given_up_at is not null) limit %(batch)s)

-- name: forget_notices
delete from notices where (organization_id, id) in (
  select organization_id, id from notices
  where created_at < now() - interval '90 days' and handed_at is not null limit %(batch)s)
