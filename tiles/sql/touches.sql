-- Does anything of a plain view touch this tile, drawn or too small to be drawn?
select exists (select from {view}, ({box}) box where {geometry} && box.geo)
