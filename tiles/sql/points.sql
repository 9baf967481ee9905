-- One tile of single points: one range of keys, integer arithmetic, no geometry index.
-- {shift} = 19 - zoom; {fields} are declared columns; {bits} hidden from the public (0: none).
with q as (
  select id, 1 as n, {fields},
         st_makepoint(((x >> {bits} << {bits}) + (1 << {bits}) / 2 >> {shift}) & 4095,
                      ((y >> {bits} << {bits}) + (1 << {bits}) / 2 >> {shift}) & 4095) as g
  from {table}
  where key >= %(lo)s and key < %(hi)s
)
select st_asmvt(q, {layer}, 4096, 'g', 'id') from q
