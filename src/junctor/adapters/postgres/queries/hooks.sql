-- What the door writes about hooks, beside deliveries.

-- name: hook_learned
-- The structure of the first delivery since learning began; later ones find it ended.
with learned as (
  update hooks set settings = settings || jsonb_build_object('structure', %(structure)s::jsonb, 'learning', false),
    revision = revision + 1, updated_at = now(), updated_by = 'door'
  where organization_id = %(organization)s and id = %(id)s and settings -> 'learning' = 'true'::jsonb
  returning id
)
select pg_notify('junctor_hooks', '') from learned
