"""OGC API – Styles (draft 20-009): the styles of the one map and of each collection, as MapLibre styles."""
