-- Who is told of notices, and how; what an organisation may keep; confidential scenarios.

create table notification_channels (
  organization_id uuid not null references organizations,
  id uuid not null,
  name text not null,
  kind text not null check (kind in ('email', 'webhook')),
  address text not null,                   -- e-mail addresses by comma, or a webhook's scheme and host
  sealed bytea,                            -- of a webhook: its URL, and the secret that signs its bodies
  kinds text[] not null default '{}',      -- of notices; none: all
  scenarios uuid[] not null default '{}',  -- none: all, and what is about no scenario
  pause_seconds int not null default 900 check (pause_seconds between 0 and 86400),
  sent_at timestamptz,                     -- the last message that arrived
  failed_at timestamptz,                   -- since when none does
  error text,
  created_at timestamptz not null default now(),
  created_by text not null,
  primary key (organization_id, id),
  unique (organization_id, name)
);

-- Messages: what one channel is told at once. One that is open gathers notices of its kind.
create table notifications (
  organization_id uuid not null,
  id uuid not null,
  channel_id uuid not null,
  kind text not null,
  closed boolean not null default false,
  due_at timestamptz not null,             -- when it is sent, or tried again
  begun_at timestamptz,                    -- when it was closed
  attempts int not null default 0,
  sent_at timestamptz,
  given_up_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  foreign key (organization_id, channel_id) references notification_channels on delete cascade
);
create unique index notifications_open on notifications (organization_id, channel_id, kind) where not closed;
create index notifications_begun on notifications (organization_id, channel_id, kind, begun_at);
create index notifications_due on notifications (due_at) where sent_at is null and given_up_at is null;

create table notification_notices (
  organization_id uuid not null,
  notification_id uuid not null,
  notice_id uuid not null,
  primary key (organization_id, notification_id, notice_id),
  foreign key (organization_id, notification_id) references notifications on delete cascade,
  foreign key (organization_id, notice_id) references notices on delete cascade
);
create index notification_notices_notice on notification_notices (organization_id, notice_id);

alter table notices add column handed_at timestamptz;  -- when it was given to the channels that want it
drop index notices_untold;
create index notices_new on notices (created_at) where handed_at is null;
create index notices_listed on notices (organization_id, created_at);

-- What an organisation may keep. Null: as much as there is room for.
create table quotas (
  organization_id uuid primary key references organizations,
  queued_deliveries bigint check (queued_deliveries >= 0),
  queued_bytes bigint check (queued_bytes >= 0),
  stored_bytes bigint check (stored_bytes >= 0),     -- of journals and blobs
  records bigint check (records >= 0),               -- in data stores
  queue_minutes int not null default 60 check (queue_minutes between 0 and 100000),  -- age worth a notice; 0: none
  updated_at timestamptz not null default now(),
  updated_by text not null
);

-- What it keeps, counted now and then by the jobs.
create table usages (
  organization_id uuid primary key references organizations on delete cascade,
  stored_bytes bigint not null,
  records bigint not null,
  counted_at timestamptz not null default now()
);

alter table scenarios add column confidential boolean not null default false;
alter table scenarios add column wiped_to uuid;      -- every run before it that has ended is wiped
alter table runs add column wiped_at timestamptz;    -- when its journal was removed

select guard_table(name) from unnest(array['notification_channels', 'notifications', 'notification_notices',
  'quotas', 'usages']) name;
grant select, insert, update, delete on notification_channels, notifications, notification_notices, quotas, usages to junctor_engine;
grant select, insert, delete on notification_channels to junctor_api;
grant select, insert, update on quotas to junctor_api;
grant select on notifications, notification_notices, usages to junctor_api;
