-- Answers to requests of provincial systems that carry an Idempotency-Key, written in the transaction of the
-- batch: sent again, the batch is not done again, and the same answer leaves. Of the account that sent it, and of
-- nobody else.
create table shuitu.exchange_requests (
  id        bigint generated always as identity primary key,
  actor_id  integer not null references shuitu.users on delete cascade,
  key       text not null check (length(key) between 1 and 255),
  target    text not null,                       -- path and query
  digest    bytea not null,                      -- of target and body
  status    smallint,
  answer    bytea,                               -- the body as it left
  at        timestamptz not null default now(),
  unique (actor_id, key)
);
create index on shuitu.exchange_requests (at);
alter table shuitu.exchange_requests enable row level security, force row level security;
create policy of_actor on shuitu.exchange_requests using (actor_id = (select shuitu.actor_id()));

-- An entry that a bulk import moved out of a county is told to those who follow that county: it is found by the
-- moment in which its former version ended. Written in that order, so the smallest of indexes serves.
create index intake_history_ended on shuitu.intake_history using brin (recorded_until) with (pages_per_range = 16);
create index permit_history_ended on shuitu.permit_history using brin (recorded_until) with (pages_per_range = 16);
