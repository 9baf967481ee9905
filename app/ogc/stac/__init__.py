"""STAC API 1.0 over the catalogue of scenes, at /stac (docs/adr/0023)."""
