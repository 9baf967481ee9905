-- Scenes know where they lie, so that each jurisdiction has its own; runs go part by part; whatever is decided can be taken back.

-- ── scenes ─────────────────────────────────────────────────────────────────────────────────────
alter table shuitu.scenes
  add column county_codes integer[] not null default '{}',
  add column basin_ids smallint[] not null default '{}',
  add column source text not null default '';    -- the STAC API or folder that it came from

create function shuitu.place_scene() returns trigger language plpgsql as $$
begin
  new.county_codes := coalesce((select array_agg(distinct r.code order by r.code) from shuitu.regions r
                                where r.level = 3 and st_intersects(r.geom, new.geom)), '{}');
  new.basin_ids := coalesce((select array_agg(distinct b.id order by b.id) from shuitu.basin_agencies b
                             where st_intersects(b.geom, new.geom)), '{}');
  return new;
end $$;
create trigger place before insert or update of geom on shuitu.scenes for each row execute function shuitu.place_scene();

-- Boundaries that come after the scenes: those scenes lie somewhere now.
create function shuitu.place_scenes_again() returns trigger language plpgsql as $$
begin
  if exists (select 1 from shuitu.scenes) then
    update shuitu.scenes set geom = geom;
  end if;
  return null;
end $$;
create trigger place_scenes after insert or update or delete on shuitu.regions
  for each statement execute function shuitu.place_scenes_again();
create trigger place_scenes after insert or update or delete on shuitu.basin_agencies
  for each statement execute function shuitu.place_scenes_again();
update shuitu.scenes set geom = geom;

alter table shuitu.scenes enable row level security;
alter table shuitu.scenes force row level security;
create policy by_footprint on shuitu.scenes using (
  ((select shuitu.scope_lo()) <= 0 and (select shuitu.scope_hi()) >= 1000000)
  or exists (select 1 from unnest(county_codes) c where c >= (select shuitu.scope_lo()) and c < (select shuitu.scope_hi()))
  or (select shuitu.scope_basin()) = any (basin_ids));

-- ── runs ───────────────────────────────────────────────────────────────────────────────────────
alter table shuitu.detection_runs
  add column versions jsonb not null default '{}',       -- of what computed it
  add column started_at timestamptz;

create table shuitu.detection_parts (
  run_id      bigint not null references shuitu.detection_runs on delete cascade,
  number      integer not null,                  -- from 1
  scene_ids   bigint[] not null,                 -- of one place: the newest last
  state       text not null default 'waiting' check (state in ('waiting', 'done', 'failed')),
  problem     text,
  left_out    jsonb not null default '[]',       -- scenes that could not be used: {scene, problem}
  facts       jsonb not null default '{}',
  report_path text,
  finished_at timestamptz,
  primary key (run_id, number)
);
alter table shuitu.detection_parts enable row level security;
alter table shuitu.detection_parts force row level security;
create policy of_run on shuitu.detection_parts
  using (exists (select 1 from shuitu.detection_runs r where r.id = detection_parts.run_id));

-- ── candidates and what people say of them ─────────────────────────────────────────────────────
alter table shuitu.candidates
  add column raw_score real check (raw_score between 0 and 1),     -- as the detection gave it; score follows decisions
  add column run_part integer,
  add column profile jsonb not null default '[]',        -- indices of the object and its surroundings by date
  add column serving_intake_ids bigint[] not null default '{}',
  add column permitted_m3 double precision,
  add column volume_method text not null default '',
  add column reason text not null default '',
  add column redrawn boolean not null default false;               -- a person drew its outline: runs leave it alone
alter table shuitu.candidates drop constraint candidates_state_check;
alter table shuitu.candidates add constraint candidates_state_check
  check (state in ('suspected', 'unsure', 'confirmed', 'rejected'));
create index on shuitu.candidates (state, score desc, id desc);

alter table shuitu.candidate_decisions drop constraint candidate_decisions_decision_check;
alter table shuitu.candidate_decisions add constraint candidate_decisions_decision_check
  check (decision in ('confirm', 'reject', 'unsure', 'reopen', 'redraw', 'note', 'undo'));
alter table shuitu.candidate_decisions
  add column reason text not null default '',
  add column bulk uuid,                                  -- decided together
  add column before jsonb,                               -- what the candidate was, as far as this changed it
  add column version_after integer,                      -- of the candidate
  add column undoes bigint references shuitu.candidate_decisions on delete cascade;
create index on shuitu.candidate_decisions (bulk) where bulk is not null;
create unique index on shuitu.candidate_decisions (undoes) where undoes is not null;
