-- Waits for what older versions are writing. They write no more from here on.
lock table fever.meta;

-- What events were before they changed. The rows of an event follow each other, the oldest first.
create table fever.history (
  key      bytea  not null,          -- of the event
  position bigint not null,          -- that of the row before, and the size of that one
  at       bigint not null,          -- Unix milliseconds; it is in the value, too
  value    bytea  not null,          -- as in the file
  primary key (key, position)
) with (autovacuum_vacuum_scale_factor = 0.05);
