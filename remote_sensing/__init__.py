"""What does the image say? Scene and registered intakes → candidates: no web, no database.

For a notebook or a script, these few names are enough; each is imported when it is first asked for:

    import remote_sensing as rs
    scene = rs.open_scene("s2_20240512.tif")
    mask = rs.water_mask(scene)                 # xarray.DataArray: 1 water, 0 land, 255 not seen
    bodies = rs.water_bodies(scene)             # geopandas.GeoDataFrame, one row an object
    found = rs.candidates([scene], intakes)     # what no registered intake explains

A whole run with pictures and a report is `pipeline.detect`; many scenes are `runs.run_all`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remote_sensing.options import Options
    from remote_sensing.python import candidates, fields, open_scene, water_bodies, water_mask
    from remote_sensing.scene import Scene, SceneError, open_scenes

__all__ = [
    "Options", "Scene", "SceneError", "candidates", "fields", "open_scene", "open_scenes", "water_bodies", "water_mask",
]  # fmt: skip

_HOME = {"Options": "options", "Scene": "scene", "SceneError": "scene", "open_scenes": "scene"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'python')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
