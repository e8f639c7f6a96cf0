-- A channel of notifications can be switched off; those of a restored copy are (restore.py).

alter table notification_channels add column enabled boolean not null default true;
grant update (enabled) on notification_channels to junctor_api;
-- What a channel was still to be told when it is switched is given up in the same transaction.
grant update (closed, given_up_at, error) on notifications to junctor_api;
