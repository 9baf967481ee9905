-- Does anything of a plain view touch this tile, drawn or too small to be drawn? (See features.sql on the box.)
select exists (
  select from {view}
  where {geometry} && st_transform(st_intersection(st_tileenvelope(%(z)s, %(x)s, %(y)s, margin => %(margin)s),
                                                   st_expand(st_tileenvelope(0, 0, 0), -0.001)), 4490))
