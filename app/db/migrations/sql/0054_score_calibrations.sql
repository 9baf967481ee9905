-- How the score of findings was held against what people decided; the newest of a jurisdiction is in use.
create table shuitu.score_calibrations (
  id          bigint generated always as identity primary key,
  made_at     timestamptz not null default now(),
  actor_id    integer references shuitu.users,
  actor_name  text not null,
  scope_lo    integer not null,
  scope_hi    integer not null,
  scope_basin smallint,
  method      text not null,
  curve       jsonb not null,                    -- pairs: score of the detection, score in use; rising
  report      jsonb not null                     -- counts, reliability before and after
);
alter table shuitu.score_calibrations enable row level security;
alter table shuitu.score_calibrations force row level security;
-- Of one's own jurisdiction and those within it; and the nation's, which stands in where a jurisdiction has none.
create policy within_scope on shuitu.score_calibrations using (
  (scope_lo >= (select shuitu.scope_lo()) and scope_hi <= (select shuitu.scope_hi()) and scope_hi > scope_lo)
  or scope_basin = (select shuitu.scope_basin())
  or ((select shuitu.scope_lo()) <= 0 and (select shuitu.scope_hi()) >= 1000000));
create policy of_the_nation on shuitu.score_calibrations for select using (scope_lo <= 0 and scope_hi >= 1000000);
