select st_makeenvelope(%(w)s, %(s)s, %(e)s, %(n)s) as tile,
       st_makeenvelope(greatest(-180, %(w)s - %(margin)s * (%(e)s - %(w)s)), greatest(-90, %(s)s - %(margin)s * (%(n)s - %(s)s)),
                       least(180, %(e)s + %(margin)s * (%(e)s - %(w)s)), least(90, %(n)s + %(margin)s * (%(n)s - %(s)s)), 4490) as geo
