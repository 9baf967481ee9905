-- One tile of overview cells: each says how many intakes and how much volume it stands for.
-- {scale} turns 18-bit world coordinates into tile units; {counts} one count a class value.
with c as (
  select key, sum(n)::integer as n, round(sum(volume))::bigint as volume,
         sum(sx)::float8 as sx, sum(sy)::float8 as sy, {counts}
  from {table}
  where key >= %(lo)s and key < %(hi)s
  group by key
), q as (
  select true as cell, n, volume, {names},
         st_makepoint(least(4095, greatest(0, floor(sx / n * {scale} - %(x)s * 4096.0))),
                      least(4095, greatest(0, floor(sy / n * {scale} - %(y)s * 4096.0)))) as g
  from c
)
select st_asmvt(q, {layer}, 4096, 'g') from q
