-- What connections know about themselves: tokens, authorisations, requests, health.

-- name: tokens
select tokens, extract(epoch from expires_at - clock_timestamp())::float8, generation, refused, broken_reason
from connection_states where organization_id = %(organization)s and connection_id = %(id)s

-- name: claim_renewal
-- Only one renews: a refresh token may be used once. Who died while renewing is followed in a minute.
update connection_states set renewer = %(renewer)s, renewing_until = clock_timestamp() + make_interval(secs => %(seconds)s)
where organization_id = %(organization)s and connection_id = %(id)s and generation = %(generation)s
  and not refused and (renewing_until is null or renewing_until < clock_timestamp())
returning generation

-- name: release_renewal
update connection_states set renewer = null, renewing_until = null
where organization_id = %(organization)s and connection_id = %(id)s and renewer = %(renewer)s

-- name: store_tokens
-- By generation, not by renewer: who took long has the only good tokens, unless there are newer ones.
update connection_states set tokens = %(tokens)s, generation = generation + 1, renewer = null, renewing_until = null,
  expires_at = clock_timestamp() + make_interval(secs => %(seconds)s), broken_at = null, broken_reason = null, refused = false
where organization_id = %(organization)s and connection_id = %(id)s and generation = %(generation)s
returning generation

-- name: store_account
-- Newly authorised by a person: whatever was before is replaced.
update connection_states set tokens = %(tokens)s, generation = generation + 1, renewer = null, renewing_until = null,
  expires_at = clock_timestamp() + make_interval(secs => %(seconds)s), broken_at = null, broken_reason = null, refused = false,
  account_id = %(account_id)s, account = %(account)s
where organization_id = %(organization)s and connection_id = %(id)s
  and (%(switch)s or account_id is null or account_id = %(account_id)s)
returning generation

-- name: refuse_tokens
-- The vendor refuses to renew these tokens; newer ones are no concern of that.
update connection_states set renewer = null, renewing_until = null, broken_at = now(), broken_reason = %(reason)s,
  refused = true
where organization_id = %(organization)s and connection_id = %(id)s and generation = %(generation)s
returning generation

-- name: mark_broken
update connection_states set broken_at = now(), broken_reason = %(reason)s
where organization_id = %(organization)s and connection_id = %(id)s and broken_at is null
returning 1

-- name: mark_mended
-- Not by what was sent with a token that can't be renewed.
update connection_states set broken_at = null, broken_reason = null
where organization_id = %(organization)s and connection_id = %(id)s and broken_at is not null and not refused

-- name: remind
update connection_states set remind_days = %(days)s
where organization_id = %(organization)s and connection_id = %(id)s

-- name: states
select connection_id, expires_at, generation, account_id, account, broken_at, broken_reason, secret_at, remind_days,
  tokens is not null
from connection_states where organization_id = %(organization)s and connection_id = any(%(ids)s::uuid[])

-- name: begin_authorization
insert into authorizations (organization_id, id, connection_id, base_url, redirect_uri, sealed, browser, switch_account,
  actor, expires_at)
values (%(organization)s, %(id)s, %(connection)s, %(base_url)s, %(redirect_uri)s, %(sealed)s, %(browser)s, %(switch)s,
  %(actor)s, clock_timestamp() + make_interval(secs => %(seconds)s))

-- name: forget_authorizations
delete from authorizations where organization_id = %(organization)s and expires_at < now() - interval '1 day'

-- name: use_authorization
-- Once, in time. The browser is checked by who asks, after it is used up.
update authorizations set used_at = clock_timestamp()
where id = %(id)s and used_at is null and expires_at > clock_timestamp()
returning organization_id, connection_id, base_url, redirect_uri, sealed, browser, switch_account, actor

-- name: end_authorization
update authorizations set done_at = clock_timestamp(), account = %(account)s, error = %(error)s
where organization_id = %(organization)s and id = %(id)s

-- name: authorization
select done_at is not null, account, error, expires_at < clock_timestamp() and used_at is null from authorizations
where organization_id = %(organization)s and id = %(id)s

-- name: log_requests
-- Of a confidential run's requests no more than whom they were sent to: the rest names people.
insert into connection_requests (organization_id, connection_id, id, at, run_id, method, url, status, error,
  milliseconds, sent, received)
select organization_id, connection_id, id, at, run_id, method,
  case when exists (
    select from scenarios s where s.organization_id = r.organization_id and s.confidential and s.id in (
      select u.scenario_id from runs u where u.organization_id = r.organization_id and u.id = r.run_id
      union all
      select i.scenario_id from inbox i where i.organization_id = r.organization_id and i.id = r.run_id))
    then substring(url from '^[^:]+://[^/?#]+') else url end,
  status, error, milliseconds, sent, received
from unnest(%(organizations)s::uuid[], %(connections)s::uuid[], %(ids)s::uuid[], %(at)s::timestamptz[],
  %(runs)s::uuid[], %(methods)s::text[], %(urls)s::text[], %(statuses)s::int[], %(errors)s::text[],
  %(milliseconds)s::real[], %(sent)s::bigint[], %(received)s::bigint[])
  as r (organization_id, connection_id, id, at, run_id, method, url, status, error, milliseconds, sent, received)
where exists (select from connections c where (c.organization_id, c.id) = (r.organization_id, r.connection_id))
on conflict do nothing

-- name: cap_requests
delete from connection_requests r
using unnest(%(organizations)s::uuid[], %(connections)s::uuid[]) as touched (organization_id, connection_id)
where r.organization_id = touched.organization_id and r.connection_id = touched.connection_id
  and r.id < (select l.id from connection_requests l where l.organization_id = touched.organization_id
    and l.connection_id = touched.connection_id order by l.id desc offset %(most)s - 1 limit 1)

-- name: count_usage
insert into connection_usage as u (organization_id, connection_id, hour, requests, failed, refused, sent, received)
select * from unnest(%(organizations)s::uuid[], %(connections)s::uuid[], %(hours)s::timestamptz[], %(requests)s::bigint[],
  %(failed)s::bigint[], %(refused)s::bigint[], %(sent)s::bigint[], %(received)s::bigint[])
  as r (organization_id, connection_id, hour, requests, failed, refused, sent, received)
where exists (select from connections c where (c.organization_id, c.id) = (r.organization_id, r.connection_id))
on conflict (organization_id, connection_id, hour) do update set requests = u.requests + excluded.requests,
  failed = u.failed + excluded.failed, refused = u.refused + excluded.refused,
  sent = u.sent + excluded.sent, received = u.received + excluded.received

-- name: forget_usage
delete from connection_usage u
using unnest(%(organizations)s::uuid[], %(connections)s::uuid[]) as touched (organization_id, connection_id)
where u.organization_id = touched.organization_id and u.connection_id = touched.connection_id
  and u.hour < now() - make_interval(days => %(days)s)

-- name: requests
select id, at, run_id, method, url, status, error, milliseconds, sent, received from connection_requests
where organization_id = %(organization)s and connection_id = %(id)s and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(limit)s

-- name: usage
select hour, requests, failed, refused, sent, received from connection_usage
where organization_id = %(organization)s and connection_id = %(id)s order by hour
