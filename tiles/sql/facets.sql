-- Overview cells with the classes that meet a filter, and what each cell counts of every class.
select * from ({cells}) whole,
  (select array_send(array_agg(distinct f.class)) from {classes} f where {by_class}) wanted,
  (select array_send(array_agg(f.key)), array_send(array_agg(octet_length(f.packed))), string_agg(f.packed, '')
   from {facets} f where f.key >= %(lo)s and f.key < %(hi)s {county}) packed,
  (select array_send(array_agg({key})), array_send(array_agg(f.class)), array_send(array_agg(f.n)), array_send(array_agg(f.volume))
   from {deltas} f where f.key >= %(low)s and f.key < %(high)s {county}) pending
