-- One tile of a plain view. The tile's box is transformed, not the column, so the index serves. It ends
-- where the world does: a margin beyond 180° would come back from the other side, and the box with it.
with box as ({box}), q as (
  select {alias}.{id} {fields},
         st_asmvtgeom({drawn}, box.tile, %(extent)s, %(buffer)s, true) as g
  from {view} {alias} {join}, box
  where {geometry} && box.geo {where}
)
select st_asmvt(q, {layer}, %(extent)s, 'g', {id_name}) from q where g is not null
