-- Overview cells of one Mercator tile with the deltas not yet folded into them, as one row of columns (tiles.arrays).
with c as (
  select f.key, f.n, f.volume, f.sx, f.sy, {counts} from {cells} f
  where f.key >= %(lo)s and f.key < %(hi)s {county}
  union all
  select {key}, f.n, f.volume, f.sx, f.sy, {delta_counts} from {deltas} f
  where f.key >= %(low)s and f.key < %(high)s {county}
), g as (
  select key, sum(n)::bigint as n, sum(volume)::bigint as volume, sum(sx)::bigint as sx, sum(sy)::bigint as sy, {sums}
  from c group by key having sum(n) > 0
)
select string_agg(int8send(key), ''), string_agg(int8send(n), ''), string_agg(int8send(volume), ''),
       string_agg(int8send(sx), ''), string_agg(int8send(sy), ''), {sent} from g
