select st_tileenvelope(%(z)s, %(x)s, %(y)s) as tile,
       st_transform(st_intersection(st_tileenvelope(%(z)s, %(x)s, %(y)s, margin => %(margin)s),
                                    st_expand(st_tileenvelope(0, 0, 0), -0.001)), 4490) as geo
