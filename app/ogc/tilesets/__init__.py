"""OGC API – Tiles (20-057) and the tile matrix sets and tileset metadata that it rests on (17-083r4)."""
