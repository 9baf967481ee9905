-- Every tile of single points at one zoom, in one pass over the map table: {shift} = 2 * (31 - zoom) low bits of the
-- key are dropped to name the tile; {down} = 19 - zoom turns world units into tile units; {bits} are hidden from the
-- public (0: none). The record of each point is made before the points are grouped.
with point as (
  select p.key >> {shift} as tile,
         (select q from (select p.id, 1 as n{fields},
                                st_makepoint(((p.x >> {bits} << {bits}) + (1 << {bits}) / 2 >> {down}) & 4095,
                                             ((p.y >> {bits} << {bits}) + (1 << {bits}) / 2 >> {down}) & 4095) as g) q) as feature
  from {table} p {join}
)
select tile, count(*), st_asmvt(feature, {layer}, 4096, 'g', 'id') from point group by tile order by tile
