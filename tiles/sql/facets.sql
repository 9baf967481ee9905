-- Overview cells with the classes that meet a filter, and what each cell counts of every class.
select * from ({cells}) whole,
  (select string_agg(distinct int4send(f.class), '') from {classes} f where {by_class}) wanted,
  (select string_agg(int8send(f.key), ''), string_agg(int4send(octet_length(f.packed)), ''), string_agg(f.packed, '')
   from {facets} f where f.key >= %(lo)s and f.key < %(hi)s {county}) packed,
  (select string_agg(int8send({key}), ''), string_agg(int4send(f.class), ''), string_agg(int4send(f.n), ''), string_agg(int8send(f.volume), '')
   from {deltas} f where f.key >= %(low)s and f.key < %(high)s {county}) pending
