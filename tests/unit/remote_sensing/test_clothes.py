"""The same pond in other clothes: masks of files, rims without data, labels of many forms give the same figures."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.enums import ColorInterp
from rasterio.transform import Affine, from_origin

from remote_sensing import evaluate, labels
from remote_sensing.scene import Scene, SceneError, open_scenes

SIDE = 96
PLACE: dict[str, Any] = {"crs": "EPSG:32650", "transform": from_origin(5e5, 3.6e6, 10, 10)}
NAMES = ("blue", "green", "red", "nir")
POND = np.zeros((SIDE, SIDE), bool)
POND[30:50, 20:60] = True
RIM = np.zeros((SIDE, SIDE), bool)
RIM[:12], RIM[:, -9:] = True, True


def numbers(kind: str = "uint16") -> np.ndarray:
    """Blue, green, red, near infrared: land with some texture, a pond."""
    rng = np.random.default_rng(1)
    land, water = np.array([[700], [900], [1000], [2800]]), np.array([[600], [700], [450], [200]])
    made = np.where(POND.ravel(), water, land) * rng.normal(1, 0.05, (4, SIDE * SIDE))
    made = made.reshape(4, SIDE, SIDE)
    return (made / 16 + 1 if kind == "uint8" else made).astype(kind)


def write(path: Path, planes: np.ndarray, names: tuple[str, ...] = (), *, alpha: bool = False, mask: Any = None, **more: Any) -> Path:  # fmt: skip
    made = PLACE | more
    with rasterio.open(
        path, "w", driver="GTiff", count=len(planes), height=planes.shape[1], width=planes.shape[2], dtype=planes.dtype, **made,
    ) as target:  # fmt: skip
        if alpha:
            target.colorinterp = [*target.colorinterp[:-1], ColorInterp.alpha]
        target.write(planes)
        if names:
            target.descriptions = names
        if mask is not None:
            target.write_mask(mask)
    return path


def one(path: Path) -> Scene:
    return open_scenes(path)[0]


def water_label(folder: Path) -> Path:
    return write(folder / "truth.tif", POND[None].astype(np.uint8))


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_the_mask_of_a_file_says_where_there_is_data(tmp_path: Path, kind: str, inside: bool) -> None:
    junk = np.where(RIM, 1, numbers(kind))  # dark: water, if it counted
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside):
        scene = one(write(tmp_path / "scene.tif", junk, NAMES, mask=~RIM))
    found = evaluate.masks(scene, water_label(tmp_path), "water_body")
    assert found["judged_pixels"] == (~RIM).sum()
    assert found["iou"] > 0.95
    again = Scene.from_stac(scene.to_stac(), scene.path.parent)
    assert again.bands == scene.bands


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_an_alpha_band_says_where_there_is_data(tmp_path: Path, kind: str) -> None:
    planes = numbers(kind) / (1e4 if kind == "float32" else 1)
    full = 1 if kind == "float32" else np.iinfo(kind).max
    whole = np.concatenate(
        [np.where(RIM, 0.001 if kind == "float32" else 1, planes), [np.where(RIM, 0, full)]]
    )
    scene = one(write(tmp_path / "scene.tif", whole.astype(kind), (*NAMES, "alpha"), alpha=True))
    found = evaluate.masks(scene, water_label(tmp_path), "water_body")
    assert found["judged_pixels"] == (~RIM).sum()
    assert found["iou"] > 0.95


def test_near_infrared_written_as_alpha_is_near_infrared(tmp_path: Path) -> None:
    planes = numbers("uint8")[[2, 1, 0, 3]]
    scene = one(write(tmp_path / "scene.tif", planes, photometric="RGB", alpha=True))
    assert scene.bands["nir"].index == 4
    assert scene.bands["nir"].mask is None
    assert evaluate.masks(scene, water_label(tmp_path), "water_body")["iou"] > 0.95


def test_colours_alone_are_told_to_lack_infrared(tmp_path: Path) -> None:
    planes = numbers("uint8")[[2, 1, 0]]
    clear = np.full((1, SIDE, SIDE), 255, np.uint8)
    for name, made in (("three", planes), ("four", np.concatenate([planes, clear]))):
        with pytest.raises(SceneError, match="缺少波段 nir"):
            open_scenes(write(tmp_path / f"{name}.tif", made, photometric="RGB", alpha=name == "four"))


def test_a_black_rim_of_eight_bits_is_no_water(tmp_path: Path) -> None:
    scene = one(write(tmp_path / "scene.tif", np.where(RIM, 0, numbers("uint8")).astype(np.uint8), NAMES))
    found = evaluate.masks(scene, water_label(tmp_path), "water_body")
    assert found["judged_pixels"] == (~RIM).sum()
    assert found["assumed"]["nodata"] == "assumed: 0"


LAND = np.arange(SIDE)[None, :] % 15
FORMS: dict[str, np.ndarray] = {
    "land 1, water 2": np.where(RIM, 0, np.where(POND, 2, 1)).astype(np.uint8),
    "0 and 255": np.where(POND, 255, 0).astype(np.uint8),
    "minus one": np.where(RIM, -1, POND).astype(np.int16),
    "chance": np.where(POND, 0.9, 0.1).astype(np.float32) + (LAND / 300).astype(np.float32),
    "percent": (np.where(POND, 80, 5) + LAND).astype(np.uint8),
    "bytes": (np.where(POND, 200, 10) + np.arange(SIDE)[None, :] % 50).astype(np.uint8),
    "land cover": np.where(POND, 7, np.where(np.arange(SIDE)[None, :] < 40, 3, 5)).astype(np.uint8),
    "blue": np.stack([np.where(POND, v, w) for v, w in ((0, 120), (0, 160), (255, 60))]).astype(np.uint8),
    "white": np.repeat(np.where(POND, 255, 0)[None], 3, 0).astype(np.uint8),
}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return one(write(tmp_path / "scene.tif", numbers(), NAMES))


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_many_forms_mean_the_same_water(tmp_path: Path, scene: Scene, form: str) -> None:
    planes = FORMS[form]
    path = write(tmp_path / "label.tif", planes[None] if planes.ndim == 2 else planes)
    read = labels.read(path, scene, "water_body")
    assert (read.truth == (POND & read.judged)).all(), read.said
    assert read.judged[~RIM].all()
    hole = form in ("land 1, water 2", "minus one")
    assert read.judged[RIM].any() == (not hole)


def test_a_label_may_hold_none_of_the_class_it_names(tmp_path: Path, scene: Scene) -> None:
    dry = np.where(LAND[:, :] < 7, 2, 3) * np.ones((SIDE, 1))
    path = write(tmp_path / "label.tif", dry[None].astype(np.uint8), ("1 water, 2 field, 3 woods, 0 other",))
    assert not labels.read(path, scene, "water_body").truth.any()


def test_bands_and_names_of_known_maps_are_followed(tmp_path: Path, scene: Scene) -> None:
    two = np.stack([np.ones_like(POND), POND]).astype(np.uint8)
    read = labels.read(write(tmp_path / "two.tif", two, ("cloud", "water")), scene, "water_body")
    assert (read.truth == POND).all()
    assert read.said["band"] == 2
    cover = np.where(POND, 80, 30)[None].astype(np.uint8)
    read = labels.read(write(tmp_path / "ESA_WorldCover_10m.tif", cover), scene, "water_body")
    assert (read.truth == POND).all()


def test_a_label_without_a_place_lies_over_the_scene_if_its_shape_does(tmp_path: Path, scene: Scene) -> None:
    fine = np.kron(POND, np.ones((2, 2))).astype(np.uint8)
    path = write(tmp_path / "fine.tif", fine[None], crs=None, transform=Affine.translation(5, 5))
    assert (labels.read(path, scene, "water_body").truth == POND).all()
    path = write(tmp_path / "odd.tif", fine[None, :, :150], crs=None, transform=Affine.translation(5, 5))
    with pytest.raises(SceneError, match="没有坐标系"):
        labels.read(path, scene, "water_body")


@pytest.mark.parametrize(("form", "crs"), [("gpkg", 3857), ("kml", 4326), ("fgb", 4490)])
def test_polygons_come_in_any_form_and_crs(tmp_path: Path, scene: Scene, form: str, crs: int) -> None:
    west, north = PLACE["transform"] * (20, 30)
    east, south = PLACE["transform"] * (60, 50)
    pond = gpd.GeoDataFrame({"id": [1]}, geometry=[shapely.box(west, south, east, north)], crs=PLACE["crs"])
    path = tmp_path / f"label.{form}"
    pond.to_crs(crs).to_file(path)
    truth = labels.read(path, scene, "water_body").truth
    assert (truth & POND).sum() / (truth | POND).sum() > 0.97


def test_a_picture_full_of_water_has_no_bright_land_to_measure_by(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    deep = np.array([40, 105, 95, 30])[:, None, None] + rng.normal(0, 3, (4, 64, 64))
    mask = evaluate.mask_by_us(one(write(tmp_path / "scene.tif", deep.astype(np.uint8), NAMES)), "water_body")
    assert mask.mean() > 0.9
    dry = np.array([60, 80, 95, 110])[:, None, None] + rng.normal(0, 3, (4, 64, 64))
    mask = evaluate.mask_by_us(one(write(tmp_path / "dry.tif", dry.astype(np.uint8), NAMES)), "water_body")
    assert not mask.any()
