create table shuitu.process_jobs (
  id          uuid primary key default gen_random_uuid(),
  process     text not null,
  status      text not null default 'accepted'
              check (status in ('accepted', 'running', 'successful', 'failed', 'dismissed')),
  progress    integer not null default 0 check (progress between 0 and 100),
  message     text not null default '',
  request     jsonb not null,                    -- inputs as checked, outputs asked for, form of the response
  results     jsonb not null default '{}',       -- output → value, or file below the data folder with its media type
  problem     jsonb,                             -- why it failed: status, detail
  queued_as   bigint,                            -- the job in the queue
  actor_id    integer references shuitu.users on delete cascade,
  actor_name  text not null,
  actor_role  text not null,
  scope_lo    integer not null,
  scope_hi    integer not null,
  scope_basin smallint,
  created     timestamptz not null default now(),
  started     timestamptz,
  finished    timestamptz,
  updated     timestamptz not null default now()
);
create index on shuitu.process_jobs (created desc);

-- Whoever sees all of the scope in which a job ran sees the job.
alter table shuitu.process_jobs enable row level security, force row level security;
create policy within_scope on shuitu.process_jobs
  using ((scope_lo >= (select shuitu.scope_lo()) and scope_hi <= (select shuitu.scope_hi()) and scope_hi > scope_lo)
         or scope_basin = (select shuitu.scope_basin()));
