"""The older services, WMS, WMTS and WFS, for clients that have nothing else (docs/adr/0024)."""
