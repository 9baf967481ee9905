-- 逐级审核: what was matched goes up in batches, from the permit's issuer to the basin's spot check, and onto the one map.

-- One spot check 抽查复核: of what waited for it in one province, frozen when it was drawn (app/review/sampling.py).
create table shuitu.review_samples (
  id            bigint generated always as identity primary key,
  county_code   integer not null,                -- of the province: who stands below it does not see the sample
  basin_id      smallint,
  algorithm     text not null,
  seed          text not null,
  rate          double precision not null check (rate between 0.01 and 1),
  tolerance     double precision not null check (tolerance between 0 and 1),
  population    integer not null check (population > 0),
  population_ids bigint[] not null,              -- review_items, ascending: with the seed, anybody can draw again
  fingerprint   text not null,
  drawn         integer not null check (drawn > 0),
  state         text not null default 'open' check (state in ('open', 'passed', 'failed')),
  wrong         integer,
  version       integer not null default 1,
  due_on        date not null,
  drawn_by      text not null,
  drawn_at      timestamptz not null default now(),
  closed_by     text,
  closed_at     timestamptz,
  check ((state = 'open') = (closed_at is null))
);
create index on shuitu.review_samples (county_code, basin_id);

create table shuitu.review_batches (
  id            bigint generated always as identity primary key,
  county_code   integer not null,                -- of the intakes
  basin_id      smallint,
  first_stage   text not null check (first_stage in ('county', 'prefecture', 'province', 'basin')),
  first_code    integer not null,                -- whose review comes first 谁审批、谁负责: a region, or a basin agency
  stage         text not null check (stage in ('county', 'prefecture', 'province', 'basin')),
  state         text not null default 'draft' check (state in ('draft', 'reviewing', 'returned', 'published', 'withdrawn')),
  filter        jsonb not null default '{}',     -- what was asked for when it was composed
  note          text not null default '',
  items         integer not null default 0,      -- still in it
  sample_id     bigint references shuitu.review_samples,
  version       integer not null default 1,
  created_by    text not null,
  created_at    timestamptz not null default now(),
  submitted_at  timestamptz,
  entered_on    date,                            -- the present stage
  due_on        date,
  closed_at     timestamptz,
  check ((state = 'draft') or submitted_at is not null or state = 'withdrawn')
);
create index on shuitu.review_batches (county_code, state);
create index on shuitu.review_batches (first_code);
create index on shuitu.review_batches (sample_id);

-- An outcome as it was when it went into review. What was submitted is what is reviewed, and stays as evidence.
create table shuitu.review_items (
  id              bigint generated always as identity primary key,
  batch_id        bigint not null references shuitu.review_batches,
  outcome_id      bigint not null,               -- no reference: the history outlives what it tells of
  outcome_version integer not null,
  intake_id       bigint,
  permit_id       bigint,                        -- the permit that decides the first reviewer
  outcome         text not null,
  source_type     text not null,
  state           text not null default 'draft' check (state in ('draft', 'in_review', 'returned', 'stale', 'published', 'withdrawn')),
  reason          text not null default '',      -- of a return
  latest          boolean not null default false, -- the one that tells where the outcome stands
  published_on    date,
  facts           jsonb not null,                -- names, numbers, volumes as submitted
  geom            geometry(Point, 4490),
  county_code     integer not null,
  basin_id        smallint,
  first_code      integer not null,
  recorded_at     timestamptz not null default now(),
  closed_at       timestamptz,
  check ((state = 'returned') = (reason <> ''))
);
create index on shuitu.review_items (batch_id, id);
create index on shuitu.review_items (outcome_id);
create unique index review_items_open on shuitu.review_items (outcome_id) where state in ('draft', 'in_review');
create unique index review_items_latest on shuitu.review_items (outcome_id) where latest;
create index review_items_intake on shuitu.review_items (intake_id) where latest;
create index on shuitu.review_items (county_code, state) where latest;

create table shuitu.review_sample_items (
  sample_id   bigint not null references shuitu.review_samples,
  item_id     bigint not null references shuitu.review_items,
  seq         integer not null,                  -- in the order of the draw
  verdict     text check (verdict in ('correct', 'wrong')),
  note        text not null default '',
  judged_by   text,
  judged_at   timestamptz,
  county_code integer not null,
  basin_id    smallint,
  primary key (sample_id, item_id),
  check ((verdict is null) = (judged_at is null)),
  check (verdict is distinct from 'wrong' or note <> '')
);
create index on shuitu.review_sample_items (item_id);

-- Who did what, when, why. Rows are written and read, and nothing else.
create table shuitu.review_decisions (
  id          bigint generated always as identity primary key,
  batch_id    bigint,
  item_id     bigint,
  sample_id   bigint,
  stage       text,
  action      text not null check (action in ('compose', 'remove', 'submit', 'approve', 'return', 'return_item', 'withdraw',
                'draw', 'judge', 'pass', 'fail', 'publish', 'stale')),
  note        text not null default '',
  facts       jsonb not null default '{}',
  actor_id    integer references shuitu.users,
  actor_name  text not null,
  authority   text not null default '',          -- the level at which the actor stood
  decided_at  timestamptz not null default now(),
  county_code integer not null,
  basin_id    smallint,
  first_code  integer
);
create index on shuitu.review_decisions (batch_id, id);
create index on shuitu.review_decisions (sample_id, id);
create index on shuitu.review_decisions (item_id);

create function shuitu.review_is_history() returns trigger language plpgsql as $$
begin
  raise exception '审核记录不可更改或删除 (a decision of the review cannot be changed or deleted)';
end $$;
create trigger history before update or delete on shuitu.review_decisions
  for each row execute function shuitu.review_is_history();
revoke update, delete on shuitu.review_decisions from shuitu_service;

-- The issuer of a permit reviews it, although its intake may lie in another county: it sees what it has to review.
do $$
declare t text;
begin
  foreach t in array array['review_batches', 'review_items', 'review_samples', 'review_sample_items', 'review_decisions'] loop
    execute format('alter table shuitu.%I enable row level security', t);
    execute format('alter table shuitu.%I force row level security', t);
    execute format($p$create policy by_scope on shuitu.%I
      using ((county_code >= shuitu.scope_lo() and county_code < shuitu.scope_hi()) or basin_id = shuitu.scope_basin())$p$, t);
  end loop;
  foreach t in array array['review_batches', 'review_items', 'review_decisions'] loop
    execute format($p$create policy by_first on shuitu.%I
      using (first_code >= shuitu.scope_lo() and first_code < shuitu.scope_hi())$p$, t);
  end loop;
end $$;

-- An outcome that changes after it was submitted is no longer what was reviewed: it leaves the review, or the one map's
-- published ones, and must be reviewed again. In the database, because whatever changes an outcome has to obey it.
create function shuitu.review_goes_stale() returns trigger language plpgsql as $$
declare gone record;
begin
  for gone in
    update shuitu.review_items set state = 'stale', closed_at = now()
    where outcome_id = old.id and latest and state in ('in_review', 'published')
      and (tg_op = 'DELETE' or outcome_version <> new.version)
    returning *
  loop
    -- A batch of which nothing is left is over.
    update shuitu.review_batches b set items = items - 1, version = version + 1,
      state = case when items = 1 then 'withdrawn' else state end, closed_at = case when items = 1 then now() end
    where b.id = gone.batch_id and b.state = 'reviewing';
    insert into shuitu.review_decisions
      (batch_id, item_id, action, note, facts, actor_id, actor_name, county_code, basin_id, first_code)
    values (gone.batch_id, gone.id, 'stale', '',
      jsonb_build_object('outcome_version', case when tg_op = 'DELETE' then null else new.version end),
      shuitu.actor_id(), coalesce((select username from shuitu.users where id = shuitu.actor_id()), 'system'),
      gone.county_code, gone.basin_id, gone.first_code);
  end loop;
  return null;
end $$;
create trigger reviewed_before after update of version or delete on shuitu.link_outcomes
  for each row execute function shuitu.review_goes_stale();
