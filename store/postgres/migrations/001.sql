create schema fever;

-- One row: whose database this is, and how far it is.
create table fever.meta (
  one         boolean primary key default true check (one),
  application text    not null default 'fever',
  format      integer not null default 0,
  history     uuid    not null default gen_random_uuid(), -- of this store alone
  revision    bigint  not null default 0,
  id          bytea   not null default '', -- of the revision, by chance: who has one of the same id has the same past
  rewritten   bigint  not null default 0   -- what changed up to this revision cannot be told as changes
);
insert into fever.meta default values;

create table fever.provider (
  name    text    collate "C" primary key,
  value   bytea,                      -- what the latest snapshot says, as in the file; null: there is none
  members bytea,                      -- a hash of all events of that snapshot; null: compare them
  current integer not null default 0, -- the number of its events on sale
  -- Its turns.
  due      timestamptz,               -- of the next job; null: at once
  failures integer not null default 0, -- jobs in a row that failed
  blocked  timestamptz,               -- the provider asked not to be called before
  -- The claim.
  token   bigint  not null default 0, -- the newest job
  holder  text,                       -- the store that runs it
  host    text,                       -- of the holder, for people
  until   timestamptz                 -- by the clock of the server; null: nobody claims the provider
) with (fillfactor = 50);             -- a renewal stays on its page

create table fever.event (
  key          bytea   primary key,   -- provider 00 base 00 event
  change       bigint  not null,      -- the commit that changed it last: that of a row of fever.revision, or an older one
  current      boolean not null,
  item         text    collate "C" not null default '', -- of the provider's feed of changes, that it is current for; empty: for none
  first_seen   bigint  not null,      -- Unix milliseconds; so is the next
  last_changed bigint  not null,
  digest       bytea   not null,      -- a hash of the event as the file has it
  title        text    not null,
  starts       text    not null,
  ends         text    not null,
  lowest       text    not null,
  highest      text    not null,
  detail       bytea   not null
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Compression by the server's own method takes most of the time of writing an event with many zones.
-- Version 13 has no other, nor has every build of a later one.
do $$ begin
  execute 'alter table fever.event alter column detail set compression lz4';
exception when syntax_error or feature_not_supported then null;
end $$;
create index event_change on fever.event (change);
create index event_current on fever.event (key) where current;
create sequence fever.change;

-- The rows of a provider's feed of changes, and of its tables.
create table fever.item (
  provider   text   collate "C" not null,
  of_table   text   collate "C" not null, -- empty: of the feed itself
  id         text   collate "C" not null,
  name       text   collate "C" not null, -- this and the next two are in the value, too
  parent     text   collate "C" not null,
  generation bigint not null,
  value      bytea  not null,             -- as in the file
  primary key (provider, of_table, id)
);
create index item_id on fever.item (provider, id) where of_table <> '';
create index item_name on fever.item (provider, name) where of_table <> '' and name <> '';
create index item_parent on fever.item (provider, parent) where of_table = '' and parent <> '';

create table fever.job (
  id       bigint  primary key,
  provider text    collate "C" not null,
  state    text    not null,          -- this and the next are in the value, too
  collects boolean not null,          -- it is no record of what was done by hand
  answered boolean not null,
  applied  boolean not null,
  written  text    not null,          -- names the transaction that wrote it: who loses the answer to a commit looks for it
  value    bytea   not null           -- as in the file
);
create index job_provider on fever.job (provider, id);
create sequence fever.job_id;

-- The newest revisions, by number.
create table fever.revision (
  number bigint primary key,
  id     bytea  not null,
  change bigint not null,
  at     timestamptz not null default clock_timestamp()
);
create index revision_change on fever.revision (change);

-- The processes that serve searches.
create table fever.replica (
  id       text   primary key,
  host     text   not null,
  version  text   not null,
  revision bigint not null,           -- of what its searches find
  settings text   not null,           -- a digest of its providers' settings
  since    timestamptz not null default clock_timestamp(),
  seen     timestamptz not null default clock_timestamp()
) with (fillfactor = 50);             -- a report stays on its page
