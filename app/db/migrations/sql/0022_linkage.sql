-- 比对衔接: which entry of the register an intake listed by a permit is; runs, proposals, outcomes, decisions.
create table shuitu.link_runs (
  id            bigint generated always as identity primary key,
  state         text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  progress      real not null default 0 check (progress between 0 and 1),
  step          text not null default '',
  region        text not null default '',        -- GB/T 2260 prefix asked for; empty: all that the actor sees
  confirm_at    real not null check (confirm_at between 0 and 1),
  doubt_at      real not null check (doubt_at between 0 and 1),
  settings      jsonb not null default '{}',
  model         jsonb,                           -- what was learnt: small sets are scored with it later
  counties_done integer[] not null default '{}', -- written and committed: a killed run goes on after these
  facts         jsonb not null default '{}',     -- how many of what, and how long
  problem       text,
  actor_id      integer references shuitu.users,
  actor_name    text not null,
  actor_role    text not null default 'officer',
  scope_lo      integer not null,
  scope_hi      integer not null,
  scope_basin   smallint,
  created_at    timestamptz not null default now(),
  started_at    timestamptz,
  finished_at   timestamptz,
  check (doubt_at <= confirm_at)
);

-- A pair that was proposed. The place is the intake's: matching is territorial 属地.
create table shuitu.link_pairs (
  id              bigint generated always as identity primary key,
  intake_id       bigint not null references shuitu.intakes on delete cascade,
  permit_id       bigint not null references shuitu.permits on delete cascade,
  permit_point_id bigint,                        -- null: the permit lists no intakes of its own
  probability     real not null check (probability between 0 and 1),
  distance_m      real,
  reasons         jsonb not null default '[]',
  conflicts       text[] not null default '{}',
  state           text not null default 'open' check (state in ('open', 'confirmed', 'rejected', 'withdrawn')),
  decided_by      text check (decided_by in ('rule', 'person')),
  decided_name    text,
  decided_at      timestamptz,
  version         integer not null default 1,
  run_id          bigint references shuitu.link_runs on delete set null,
  county_code     integer not null,
  basin_id        smallint,
  recorded_at     timestamptz not null default now(),
  check ((decided_by is null) = (decided_at is null))
);
create unique index link_pairs_key on shuitu.link_pairs (intake_id, permit_id, coalesce(permit_point_id, 0));
create index on shuitu.link_pairs (permit_id, permit_point_id);
create index on shuitu.link_pairs (county_code, state);
create index on shuitu.link_pairs (run_id);

-- What came of it: a row for every off-stream intake that was compared, and one for every intake listed by a permit
-- (or permit that lists none) to which no entry of the register belongs 有证无口.
create table shuitu.link_outcomes (
  id              bigint generated always as identity primary key,
  intake_id       bigint unique references shuitu.intakes on delete cascade,
  permit_id       bigint references shuitu.permits on delete cascade,
  permit_point_id bigint,
  outcome         text not null default 'pending' check (outcome in ('one_to_one', 'n_to_one', 'one_to_n',
                    'intake_without_permit', 'permit_without_intake', 'exempt', 'pending')),
  ground          text check (ground in ('collective_pond', 'household', 'dewatering', 'public_safety', 'drought', 'filing_only', 'public_supply')),
  note            text not null default '',
  probability     real,                          -- of the best pair that is open or confirmed
  pairs_open      smallint not null default 0,
  conflicts       text[] not null default '{}',  -- of the best pair
  source_type     text not null default 'unknown',
  decided_by      text check (decided_by in ('rule', 'person')),
  decided_name    text,
  decided_at      timestamptz,
  version         integer not null default 1,
  run_id          bigint references shuitu.link_runs on delete set null,
  county_code     integer not null,
  basin_id        smallint,
  recorded_at     timestamptz not null default now(),
  check ((intake_id is null) <> (permit_id is null)),
  check (permit_point_id is null or permit_id is not null),
  check ((outcome = 'exempt') = (ground is not null)),
  check (intake_id is not null or outcome in ('permit_without_intake', 'pending')),
  check (intake_id is null or outcome <> 'permit_without_intake'),
  check ((decided_by is null) = (decided_at is null))
);
create unique index link_outcomes_permits on shuitu.link_outcomes (permit_id, coalesce(permit_point_id, 0)) where permit_id is not null;
create index link_outcomes_place on shuitu.link_outcomes (county_code, outcome, decided_by);
create index link_outcomes_walk on shuitu.link_outcomes (outcome, coalesce(probability, 0) desc, id);
create index on shuitu.link_outcomes (basin_id);

-- Decisions of persons. What was before is kept whole, so that each can be undone.
create table shuitu.link_batches (
  id          bigint generated always as identity primary key,
  action      text not null check (action in ('accept', 'reject', 'unlicensed', 'exempt', 'postpone')),
  filter      jsonb not null,
  wanted      integer not null,                  -- as counted before it was confirmed
  decided     integer not null default 0,
  state       text not null default 'running' check (state in ('running', 'done', 'undone')),
  ground      text,
  note        text not null default '',
  actor_id    integer references shuitu.users,
  actor_name  text not null,
  scope_lo    integer not null,
  scope_hi    integer not null,
  scope_basin smallint,
  created_at  timestamptz not null default now(),
  finished_at timestamptz
);
create table shuitu.link_decisions (
  id          bigint generated always as identity primary key,
  batch_id    bigint references shuitu.link_batches,
  action      text not null check (action in ('accept', 'reject', 'reassign', 'split', 'unlicensed', 'exempt',
                'register', 'missing', 'postpone', 'undo')),
  intake_id   bigint,                            -- no reference: the history outlives what it tells of
  permit_id   bigint,
  permit_point_id bigint,
  pairs       bigint[] not null default '{}',
  before      jsonb not null default '{}',
  after       jsonb not null default '{}',
  note        text not null default '',
  undone_by   bigint references shuitu.link_decisions,
  actor_id    integer references shuitu.users,
  actor_name  text not null,
  decided_at  timestamptz not null default now(),
  county_code integer not null,
  basin_id    smallint
);
create index on shuitu.link_decisions (intake_id, id);
create index on shuitu.link_decisions (permit_id, id);
create index on shuitu.link_decisions (batch_id);
create index on shuitu.link_decisions (actor_id, id);

-- How far readers of `changes` have come, by transaction and id.
create table shuitu.change_readers (
  name text primary key,
  xid  xid8 not null,
  id   bigint not null
);

do $$
declare t text;
begin
  foreach t in array array['link_pairs', 'link_outcomes', 'link_decisions'] loop
    execute format('alter table shuitu.%I enable row level security', t);
    execute format('alter table shuitu.%I force row level security', t);
    execute format($p$create policy by_scope on shuitu.%I
      using ((county_code >= shuitu.scope_lo() and county_code < shuitu.scope_hi()) or basin_id = shuitu.scope_basin())$p$, t);
  end loop;
  foreach t in array array['link_runs', 'link_batches'] loop
    execute format('alter table shuitu.%I enable row level security', t);
    execute format('alter table shuitu.%I force row level security', t);
    execute format($p$create policy within_scope on shuitu.%I
      using ((scope_lo >= (select shuitu.scope_lo()) and scope_hi <= (select shuitu.scope_hi()) and scope_hi > scope_lo)
             or scope_basin = (select shuitu.scope_basin())
             or ((select shuitu.scope_lo()) <= 0 and (select shuitu.scope_hi()) >= 1000000))$p$, t);
  end loop;
end $$;
