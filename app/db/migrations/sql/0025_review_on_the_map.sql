-- 三（一）: what passed the review is taken onto the one map; of groundwater intakes it tells the exploited layer.
alter table map.intake_points
  add column review_state smallint not null default 0,
  add column aquifer_layer smallint not null default 2;
alter table map.intake_classes add column review_state text, add column aquifer_layer text;
-- Classes that no declaration ever wrote again would be found by filters.
truncate map.intake_classes;
delete from map.published where layer = 'intakes';
-- What it returns becomes more: `create or replace` may not change that.
drop function if exists map.intakes_at(date, timestamptz);

-- An intake stands at one place in the review, also after its outcome was taken away and made again.
drop index shuitu.review_items_intake;
create unique index review_items_intake on shuitu.review_items (intake_id) where latest;
create or replace function shuitu.review_goes_stale() returns trigger language plpgsql as $$
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
  if tg_op = 'DELETE' then
    update shuitu.review_items set latest = false where outcome_id = old.id and latest;
  end if;
  return null;
end $$;
