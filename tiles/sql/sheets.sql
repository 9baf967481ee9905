-- The first features of a box in the order of keys, by whole sheets, as one row of columns (tiles.sheets): may they be
-- trusted; the first block that was not looked at, if any; how many features lie inside for sure; then of each sheet the
-- number of features and the county. All sheets of a block are read or none, for their keys are mixed. Of a sheet that
-- crosses an edge, or that an earlier page ended in, none may be wanted.
with r as materialized (
  select * from unnest(%(lo)s::bigint[], %(hi)s::bigint[]) r(lo, hi)
), h as materialized (
  select m.* from r cross join lateral (
    select s.block, s.county_code, s.basin_id, octet_length(s.ids) / 8 as n,
           s.x0 >= %(x0)s and s.x1 <= %(x1)s and s.y0 >= %(y0)s and s.y1 <= %(y1)s and s.block > %(begun)s as inside
    from {sheets} s
    where s.block between r.lo and r.hi and s.x1 >= %(x0)s and s.x0 <= %(x1)s and s.y1 >= %(y0)s and s.y0 <= %(y1)s
    order by s.block, s.county_code, s.basin_id limit %(heads)s) m
  limit %(heads)s
), w as (
  select h.*, sum(case when inside then n else 0 end)
                over (order by block groups between unbounded preceding and 1 preceding) as before
  from h
)
select coalesce((select sheets = %(form)s from map.published where layer = %(layer)s), false)
       and not exists (select from r join {deltas} d on d.key >= r.lo << {shift} and d.key < (r.hi + 1) << {shift}),
       (select max(block) from h having count(*) >= %(heads)s),
       (select sum(n) from h where inside)::bigint,
       string_agg(int4send(q.n), ''), string_agg(int4send(q.county_code), ''), {sent}
from (
  select w.n, s.* from w cross join lateral (
    select s.county_code, {asked} from {sheets} s
    where s.block = w.block and s.county_code = w.county_code and s.basin_id = w.basin_id offset 0) s
  where w.before is null or w.before < %(wanted)s
  order by w.block, w.county_code, w.basin_id
) q
