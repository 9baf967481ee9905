-- The first features of a box in the order of keys, by whole sheets, as one row of columns (tiles.sheets): may they be
-- trusted; the first block that was not looked at, if any; how many features lie inside for sure; positions of those in
-- the sheets that cross an edge, where all are to be counted and may be; then of each sheet read the number of features
-- and the county. All sheets of a block are read or none, for their keys are mixed. Of a sheet that crosses an edge, or
-- that an earlier page ended in, none may be wanted.
with r as materialized (
  select * from unnest(%(lo)s::bigint[], %(hi)s::bigint[]) r(lo, hi)
), h as materialized (
  select m.* from r cross join lateral (
    select s.block, s.county_code, octet_length(s.ids) / 8 as n,
           s.x0 >= %(x0)s + %(edge)s and s.x1 <= %(x1)s - %(edge)s
             and s.y0 >= %(y0)s + %(edge)s and s.y1 <= %(y1)s - %(edge)s and s.block > %(begun)s as inside,
           {asked}
    from {sheets} s
    where s.block between r.lo and r.hi and s.x1 >= %(x0)s and s.x0 <= %(x1)s and s.y1 >= %(y0)s and s.y0 <= %(y1)s
    order by s.block limit %(heads)s) m
  limit %(heads)s
), b as (
  select block, n, sum(n) over (order by block rows unbounded preceding) - n as before
  from (select block, coalesce(sum(n) filter (where inside), 0)::integer as n from h group by block) h
), t as materialized (
  select count(*) >= %(heads)s as cut, coalesce(sum(n) filter (where inside), 0)::bigint as inside from h
), e as materialized (
  select string_agg(lons, '') as lons, string_agg(lats, '') as lats
  from h where not inside and (select not cut and t.inside <= %(most)s from t)
)
select coalesce((select sheets = %(form)s from map.published where layer = %(layer)s), false)
       and not exists (select from r join {deltas} d on d.key >= r.lo << {shift} and d.key < (r.hi + 1) << {shift}),
       (select max(block) from h where (select cut from t)), (select inside from t),
       (select lons from e), (select lats from e),
       string_agg(int4send(h.n), ''), string_agg(int4send(h.county_code), ''), {sent}
from h where h.block <= (select max(block) from b where before < %(wanted)s)
