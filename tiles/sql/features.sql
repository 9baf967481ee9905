-- One tile of a plain view. The tile's box is transformed, not the column, so the index serves. It ends
-- where the world does: a margin beyond 180° would come back from the other side, and the box with it.
with box as (
  select st_tileenvelope(%(z)s, %(x)s, %(y)s) as web,
         st_transform(st_intersection(st_tileenvelope(%(z)s, %(x)s, %(y)s, margin => %(margin)s),
                                      st_expand(st_tileenvelope(0, 0, 0), -0.001)), 4490) as geo
), q as (
  select v.{id}, {fields},
         st_asmvtgeom(st_transform({geometry}, 3857), box.web, 4096, %(buffer)s, true) as g
  from {view} v {join}, box
  where {geometry} && box.geo
)
select st_asmvt(q, {layer}, 4096, 'g', {id_name}) from q where g is not null
