-- Points of one Mercator tile from its blocks, as one row of columns (tiles.arrays). Blocks in which changes wait to be
-- folded are left out, and made from the points themselves.
with stale as materialized (
  select distinct f.key >> {shift} as block from {deltas} f where f.key >= %(low)s and f.key < %(high)s
)
select {sent} from (
  select {names} from {blocks} b
  where b.block >= %(first)s and b.block < %(end)s and b.block <> all (array(select block from stale))
  union all
  select m.* from stale s cross join lateral (
    select {made} from {points} p where p.key >= s.block << {shift} and p.key < (s.block + 1) << {shift}
    offset 0) m
) q
