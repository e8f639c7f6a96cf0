-- When deliveries could be taken at all, and when not: one row of `nodes` for all servers together.

-- name: door_open
-- A server lives. Whoever is the first to say so after a silence of more than `minutes` notes it,
-- from when to when, for the job that fetches what was missed (0: none is noted).
insert into nodes as n (name, role, details) values ('door', 'door', '{"gaps": []}')
on conflict (name) do update set
  details = case
    when %(minutes)s > 0 and n.seen_at < clock_timestamp() - make_interval(mins => %(minutes)s)
    then jsonb_set(n.details, '{gaps}', coalesce(n.details -> 'gaps', '[]') || jsonb_build_array(
      jsonb_build_object('from', n.seen_at, 'to', clock_timestamp())))
    else n.details end,
  seen_at = clock_timestamp()

-- name: gaps
select details -> 'gaps' from nodes where name = 'door'

-- name: gap_changed
-- In place of a gap (by its beginning) what is left of it; nothing, if nothing is.
update nodes set details = jsonb_set(details, '{gaps}', (
  select coalesce(jsonb_agg(case when g ->> 'from' = %(from)s then %(left)s::jsonb else g end), '[]')
  from jsonb_array_elements(details -> 'gaps') g
  where g ->> 'from' <> %(from)s or %(left)s::jsonb is not null))
where name = 'door'

-- name: hooks_to_fill
-- Hooks of active scenarios, of all organisations.
select h.organization_id, h.id
from hooks h join scenarios s on s.organization_id = h.organization_id and s.id = h.scenario_id
where s.active and h.enabled and h.connection_id is not null
order by h.organization_id, h.id
