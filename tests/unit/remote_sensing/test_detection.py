"""What a scene yields does not depend on windows, follows scale and offset, and is compared with the register."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.windows import Window

from remote_sensing import compare, formats, irrigation, objects, recovery, strips, water
from remote_sensing.options import Ground, Options
from remote_sensing.pipeline import Detection, detect
from remote_sensing.scene import Band, Grid, Scene, SceneError, open_scenes, to_stored
from remote_sensing.search import find
from remote_sensing.sources import Coding, scaled

LAND, POND = (800, 900, 1100, 2600), (500, 600, 400, 150)
WEST, NORTH, CRS = 500_000.0, 3_600_000.0, "EPSG:32650"


def write(
    path: Path, ponds: list[tuple[int, int, int, int]], size: int = 700, shift: int = 0, **tags: str
) -> Path:
    """A scene of land with rectangular ponds (row, column, height, width)."""
    rng = np.random.default_rng(1)
    pixels = np.repeat(np.array(LAND, float)[:, None, None], size, 1).repeat(size, 2)
    pixels *= 1 + 0.05 * rng.standard_normal((1, size, size))
    for row, col, height, width in ponds:
        pixels[:, row : row + height, col : col + width] = np.array(POND, float)[:, None, None]
    profile = {
        "driver": "GTiff", "count": 4, "dtype": "uint16", "width": size, "height": size, "crs": CRS, "nodata": 0,
        "transform": from_origin(WEST, NORTH, 10, 10), "tiled": True,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write((pixels + shift).astype(np.uint16))
        target.descriptions = ("B02", "B03", "B04", "B08")
        target.update_tags(**tags)
    return path


def intake(x: float, y: float, **more: Any) -> gpd.GeoDataFrame:
    """A register of one intake at metric coordinates."""
    register = recovery.register_of(gpd.GeoDataFrame(geometry=[shapely.Point(x, y)], crs=CRS))
    for name, value in more.items():
        register[name] = value
    return register


def run(path: Path, out: Path, register: gpd.GeoDataFrame | None = None, **more: Any) -> Detection:
    chosen = register if register is not None else compare.empty_register()
    return detect(open_scenes(path), chosen, out=out, options=Options(kinds=("water_body",), **more))


@pytest.fixture
def three_ponds(tmp_path: Path) -> Path:
    """Ponds of 40 × 30, 20 × 20 (on the seam of two windows) and 12 × 15 pixels."""
    return write(tmp_path / "s_20240512.tif", [(100, 100, 40, 30), (505, 503, 20, 20), (300, 620, 12, 15)])


def test_each_pond_is_found_with_its_area(three_ponds: Path, tmp_path: Path) -> None:
    found = run(three_ponds, tmp_path)
    assert sorted(round(c.area_m2, -2) for c in found.candidates) == [18_000, 40_000, 120_000]
    assert all(c.category == "no_intake" and 0 < c.score <= 1 for c in found.candidates)
    assert found.facts["objects"] == {"water_body": 3}
    assert (tmp_path / "report.html").read_text().count("周边无登记取水口") == 3
    for c in found.candidates:
        assert c.chip_after is not None
        assert (tmp_path / c.chip_after).stat().st_size > 1000


def test_an_object_across_windows_is_one_object(three_ponds: Path) -> None:
    scene = open_scenes(three_ponds)[0]
    one, other = (find(scene, ("water_body",), Options(window=size))[0] for size in (512, 1024))
    assert shapely.equals(one.polygons, other.polygons).all()
    assert [p.area for p in one.polygons] == [120_000, 18_000, 40_000]


def labelled(mask: np.ndarray, size: int, strong: np.ndarray | None = None) -> objects.Objects:
    """The objects of a mask of water, labelled in windows of a size."""
    height, width = mask.shape
    grid = Grid(None, from_origin(0, 0, 1, 1), width, height)
    codes = (mask * np.where(mask if strong is None else strong, 5, 1)).astype(np.uint8)
    parts = []
    for row in range(0, height, size):
        for col in range(0, width, size):
            at = (slice(row, row + size), slice(col, col + size))
            piece = np.ascontiguousarray(codes[at])
            ones = np.ones(piece.shape, np.float32)
            window = Window(col, row, piece.shape[1], piece.shape[0])
            parts.append(
                objects.label(window, piece, objects.Look(ones, {"nir": (ones, Coding())}), (0, 0, 0, 0))
            )
    return objects.collect(parts, grid, (0, 0, 0, 0))[1]


masks = st.builds(
    lambda seed, share: np.random.default_rng(seed).random((41, 53)) < share,
    st.integers(0, 10_000),
    st.floats(0.05, 0.7),
)


@settings(max_examples=60, deadline=None)
@given(mask=masks, size=st.sampled_from([7, 16, 23]))
def test_objects_do_not_depend_on_windows(mask: np.ndarray, size: int) -> None:
    pieces, whole = labelled(mask, size), labelled(mask, 64)
    assert pieces.pixels.tolist() == whole.pixels.tolist()
    assert pieces.box.tolist() == whole.box.tolist()
    np.testing.assert_allclose(pieces.sums["water_index"], whole.sums["water_index"])
    assert shapely.equals(pieces.shapes, whole.shapes).all()


@settings(max_examples=60, deadline=None)
@given(mask=masks)
def test_outlines_are_those_that_gdal_draws(mask: np.ndarray) -> None:
    ours = labelled(mask, 64)
    drawn = [
        shapely.make_valid(shapely.geometry.shape(geometry))
        for geometry, value in rasterio.features.shapes(mask.astype(np.uint8), mask, 8)
    ]
    assert shapely.is_valid(ours.shapes).all()
    assert sorted(shapely.area(ours.shapes)) == sorted(shapely.area(drawn))
    assert shapely.area(ours.shapes).tolist() == ours.pixels.tolist()
    np.testing.assert_array_equal(rasterio.features.rasterize(ours.shapes.tolist(), mask.shape) > 0, mask)


def test_weak_pixels_alone_are_no_object() -> None:
    weak = np.zeros((10, 10), bool)
    weak[1:4, 1:4] = weak[6:9, 6:9] = True
    strong = np.zeros_like(weak)
    strong[2, 2] = True
    found = labelled(weak, 10, strong)
    assert found.pixels.tolist() == [9]
    assert [s.bounds for s in found.shapes] == [(1.0, 1.0, 4.0, 4.0)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(520, 1500), at=st.tuples(st.integers(0, 480), st.integers(0, 480)))
def test_pieces_and_their_halo_are_what_one_reading_gives(
    size: int, at: tuple[int, int], tmp_path: Path
) -> None:
    scene = open_scenes(write(tmp_path / f"{size}.tif", [(*at, 30, 30)], size=size))[0]
    source = strips.SceneSource(scene, ("green", "nir"))
    whole = np.pad(scene.read("nir", Window(0, 0, size, size)), strips.HALO, constant_values=np.nan)
    seen = np.zeros((size, size), int)
    with ThreadPoolExecutor(2) as pool:
        for read in strips.pieces([source], strips.Plan.of(scene.grid, 512, source), pool, None):
            (piece,) = read()
            row, col, height, width = (
                int(getattr(piece.window, n)) for n in ("row_off", "col_off", "height", "width")
            )
            np.testing.assert_array_equal(
                piece.block((0, height), (0, width))["nir"],
                whole[row : row + height + 2 * strips.HALO, col : col + width + 2 * strips.HALO],
            )
            seen[row : row + height, col : col + width] += 1
    assert (seen == 1).all()


def test_a_coarser_band_is_interpolated_alike_in_every_window(tmp_path: Path) -> None:
    fine = open_scenes(write(tmp_path / "f.tif", [(100, 100, 40, 30)]))[0]
    coarse = tmp_path / "swir.tif"
    rng = np.random.default_rng(5)
    with rasterio.open(
        coarse, "w", driver="GTiff", width=350, height=350, count=1, dtype="uint16", crs=CRS, nodata=0,
        transform=from_origin(WEST, NORTH, 20, 20),
    ) as target:  # fmt: skip
        numbers = rng.integers(1, 4000, (350, 350)).astype(np.uint16)
        numbers[50:60, 50:60] = 0
        target.write(numbers, 1)
    scene = replace(fine, bands={**fine.bands, "swir16": Band(str(coarse), 1, 1e-4, 0.0, 0)})
    source = strips.SceneSource(scene, ("nir", "swir16"))

    def reflectance(window: Window) -> np.ndarray:
        raw = source.read(window)[1]
        made = np.empty(raw.shape, np.float32)
        scaled(raw, *source.codings[1], made)
        return made

    whole, part = reflectance(Window(0, 0, 700, 700)), reflectance(Window(301, 97, 55, 60))
    np.testing.assert_allclose(part, whole[97:157, 301:356], rtol=1e-5)
    assert np.isnan(whole[102:118, 102:118]).all()
    assert whole[0, 0] == pytest.approx(numbers[0, 0] * 1e-4, rel=1e-5)


def test_the_offset_of_baseline_04_is_taken_off(tmp_path: Path) -> None:
    ponds = [(100, 100, 40, 30)]
    plain = open_scenes(write(tmp_path / "a.tif", ponds))[0]
    shifted = open_scenes(write(tmp_path / "b.tif", ponds, shift=1000, PROCESSING_BASELINE="05.09"))[0]
    window = Window(0, 0, 700, 700)
    assert shifted.bands["nir"].offset == pytest.approx(-0.1)
    np.testing.assert_allclose(plain.read("nir", window), shifted.read("nir", window), atol=2e-4)


def test_a_file_without_that_baseline_keeps_its_numbers(tmp_path: Path) -> None:
    assert open_scenes(write(tmp_path / "a.tif", [], PROCESSING_BASELINE="03.01"))[0].bands["nir"].offset == 0


def test_missing_bands_are_named_and_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [])
    with rasterio.open(path, "r+") as target:
        target.descriptions = ("", "", "", "")
    assert open_scenes(path)[0].properties["shuitu:bands"].startswith("assumed: 4 bands")
    assert set(open_scenes(path, bands={"green": "2", "red": "3", "nir": "4"})[0].bands) == {
        "green",
        "red",
        "nir",
    }
    with pytest.raises(SceneError, match="'9'"):
        open_scenes(path, bands={"green": "9"})


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_without_a_place_is_refused(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "p.tif", "w", driver="GTiff", width=4, height=4, count=3, dtype="uint8"
    ) as target:
        target.descriptions = ("green", "red", "nir")
    with pytest.raises(SceneError, match="没有坐标系"):
        open_scenes(tmp_path / "p.tif")


def test_a_scene_survives_its_stac_item(three_ponds: Path) -> None:
    scene = open_scenes(three_ponds)[0]
    back = Scene.from_stac(scene.to_stac(), three_ponds.parent)
    assert back.bands == dict(scene.bands)
    assert (back.item_id, back.acquired_at, back.calibrated) == (scene.item_id, scene.acquired_at, True)


def test_a_safe_folder_is_read_with_its_offset(tmp_path: Path) -> None:
    folder = tmp_path / "S2B_MSIL2A_20240512T024529_N0510_R132_T50SQB_20240512T052215.SAFE"
    data = folder / "GRANULE/L2A/IMG_DATA/R10m"
    data.mkdir(parents=True)
    (folder / "MTD_MSIL2A.xml").write_text(
        "<a><PRODUCT_START_TIME>2024-05-12T02:45:29.024Z</PRODUCT_START_TIME><BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>"
        "<BOA_ADD_OFFSET band_id='2'>-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET band_id='3'>-1000</BOA_ADD_OFFSET>"
        "<BOA_ADD_OFFSET band_id='7'>-1000</BOA_ADD_OFFSET></a>"
    )
    whole = write(tmp_path / "w.tif", [(100, 100, 40, 30)], shift=1000)
    with rasterio.open(whole) as source:
        for number, name in ((2, "B03"), (3, "B04"), (4, "B08")):
            profile = source.profile | {"count": 1}
            with rasterio.open(data / f"T50SQB_20240512T024529_{name}_10m.tif", "w", **profile) as target:
                target.write(source.read(number), 1)
    scene = open_scenes(folder)[0]
    assert scene.acquired_at is not None
    assert scene.acquired_at.isoformat().startswith("2024-05-12T02:45:29")
    assert scene.bands["red"].offset == pytest.approx(-0.1)
    assert len(find(scene, ("water_body",), Options())[0].polygons) == 1


def test_a_landsat_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "LC09"
    folder.mkdir()
    base = "LC09_L2SP_120037_20240512_20240513_02_T1"
    (folder / f"{base}_MTL.txt").write_text(
        'GROUP = X\n  SPACECRAFT_ID = "LANDSAT_9"\n  DATE_ACQUIRED = 2024-05-12\n  SCENE_CENTER_TIME = "02:31:10.1Z"\n  CLOUD_COVER = 3.1\n'
    )
    for digit, value in (("3", 9_000), ("4", 9_500), ("5", 15_000), ("6", 14_000)):
        with rasterio.open(
            folder / f"{base}_SR_B{digit}.TIF", "w", driver="GTiff", width=20, height=20, count=1, dtype="uint16",
            crs=CRS, transform=from_origin(WEST, NORTH, 30, 30),
        ) as target:  # fmt: skip
            target.write(np.full((20, 20), value, np.uint16), 1)
    scene = open_scenes(folder)[0]
    assert set(scene.bands) == {"green", "red", "nir", "swir16"}
    assert scene.read("nir", Window(0, 0, 2, 2))[0, 0] == pytest.approx(15_000 * 2.75e-5 - 0.2)
    assert scene.properties["eo:cloud_cover"] == 3.1


def test_an_intake_at_the_shore_explains_a_pond(tmp_path: Path) -> None:
    path = write(tmp_path / "s.tif", [(100, 100, 40, 30)])
    shore = (WEST + 1300 + 20, NORTH - 1200)
    assert run(path, tmp_path, intake(*shore)).candidates == ()
    for change, category in (
        ({"has_valid_permit": False}, "no_valid_permit"),
        ({"permitted_m3": 100.0}, "permit_too_small"),
        ({"status": "sealed"}, "no_intake"),
        ({"source_type": "groundwater"}, "no_intake"),
    ):
        found = run(path, tmp_path, intake(*shore, **change))
        assert [c.category for c in found.candidates] == [category], change
    far = run(path, tmp_path, intake(WEST + 5000, NORTH - 1200)).candidates[0]
    assert far.category == "no_intake"
    assert far.nearest_intake_m == pytest.approx(3700, abs=20)
    assert any("3,7" in reason["zh"] for reason in far.reasons)


def test_a_finding_says_what_kind_of_water_it_is_and_what_tells_so(tmp_path: Path) -> None:
    # 12 ha, 9 ha and a strip 40 m wide.
    path = write(tmp_path / "s.tif", [(100, 100, 40, 30), (300, 100, 30, 30), (400, 40, 4, 300)])
    frame = {"crs": CRS}
    line = shapely.LineString([(WEST + 100, NORTH - 4020), (WEST + 4000, NORTH - 4020)])
    known = Ground(
        network=gpd.GeoDataFrame({"kind": ["river"]}, geometry=[line], **frame),
        dams=gpd.GeoDataFrame(geometry=[shapely.Point(WEST + 1150, NORTH - 1450)], **frame),
    )
    for ground, wanted in (
        (Ground(), [("lake", "shape"), ("pond", "shape"), ("canal", "shape")]),
        (known, [("reservoir", "dam"), ("pond", "shape"), ("river", "network")]),
    ):
        found = run(path, tmp_path, min_score=0.0, ground=ground).candidates
        ordered = sorted(found, key=lambda c: -c.geometry.centroid.y)
        told = [c.evidence["water"] for c in ordered]
        assert [(one["kind"], one["by"]) for one in told] == wanted
        reasons = [next(r for r in c.reasons if r["code"].startswith("water_")) for c in ordered]
        assert [r["code"] for r in reasons] == [f"water_{kind}" for kind, _ in wanted]
        assert told[2]["widest_m"] == pytest.approx(40, abs=5)
        assert told[2]["length_m"] == pytest.approx(3_000, rel=0.05)
    assert "水库（按坝址）" in reasons[0]["zh"] and "a reservoir (by its dam)" in reasons[0]["en"]


def test_a_pond_that_was_not_there_is_new(tmp_path: Path) -> None:
    write(tmp_path / "a_20220512.tif", [(100, 100, 40, 30)])
    write(tmp_path / "b_20240512.tif", [(100, 100, 40, 30), (400, 300, 30, 30)])
    found = run(tmp_path, tmp_path)
    assert {round(c.area_m2, -3): c.category for c in found.candidates} == {
        120_000: "no_intake",
        90_000: "new_since_last_date",
    }
    assert all(c.chip_before for c in found.candidates)


def test_an_area_of_interest_cuts_what_is_looked_at(three_ponds: Path, tmp_path: Path) -> None:
    area = to_stored(CRS, shapely.box(WEST, NORTH - 2000, WEST + 2000, NORTH))
    found = detect(open_scenes(three_ponds), compare.empty_register(), aoi=area, out=tmp_path)
    assert len(found.candidates) == 1


def test_one_mode_has_no_valley() -> None:
    rng = np.random.default_rng(3)

    def valley(*modes: tuple[float, float, int]) -> float | None:
        values = np.concatenate([rng.normal(*mode) for mode in modes]).astype(np.float32)
        return water.valley(water.histogram(values[None, :], 1), 0.02)

    assert valley((-0.4, 0.1, 50_000)) is None
    found = valley((-0.4, 0.08, 40_000), (0.5, 0.08, 4_000))
    assert found is not None
    assert -0.1 < found < 0.3


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("x_20240512T0245.tif", "2024-05-12"),
        ("naip_2012-07-31", "2012-07-31"),
        ("B04", None),
        ("x_20241399", None),
    ],
)
def test_dates_in_names(name: str, when: str | None) -> None:
    found = formats.date_in(name)
    assert (found.date().isoformat() if found else None) == when


def green_block(size: int = 300) -> dict[str, np.ndarray]:
    """Woods all over with a field of 40 × 30 pixels that reflects less green against red and infrared."""
    rng = np.random.default_rng(7)
    bands = {
        name: np.full((size, size), value, np.float32) * rng.normal(1, 0.04, (size, size)).astype(np.float32)
        for name, value in (("green", 0.05), ("red", 0.037), ("nir", 0.25))
    }
    for name, value in (("green", 0.044), ("red", 0.041), ("nir", 0.29)):
        bands[name][100:140, 50:80] = value
    return bands


def fields_of(bands: dict[str, np.ndarray]) -> np.ndarray:
    codes = np.zeros(bands["nir"].shape, np.uint8)
    padded = {name: np.pad(values, strips.HALO, constant_values=np.nan) for name, values in bands.items()}
    irrigation.mark(padded, (0, 0), irrigation.limit(bands), codes)
    return codes == 6


def test_a_field_stands_out_from_woods_as_green_as_it_is() -> None:
    found = fields_of(green_block())
    assert found[102:138, 52:78].all()
    assert found.sum() < 1.2 * 40 * 30


def test_where_hardly_anything_is_green_all_green_stands_out() -> None:
    bands = green_block()
    dry = np.ones((300, 300), bool)
    dry[200:220, 200:230] = dry[100:140, 50:80] = False
    for name, value in (("green", 0.12), ("red", 0.18), ("nir", 0.22)):
        bands[name][dry] = value
    found = fields_of(bands)
    assert found[102:138, 52:78].all()
    assert found[202:218, 202:228].all()
    assert not found[dry].any()


def test_a_hedge_two_pixels_wide_is_no_field() -> None:
    bands = {
        name: np.full((60, 60), v, np.float32) for name, v in (("green", 0.12), ("red", 0.18), ("nir", 0.22))
    }
    for name, value in (("green", 0.044), ("red", 0.041), ("nir", 0.29)):
        bands[name][:, 20:22] = value
        bands[name][:, 40:43] = value
    found = fields_of(bands)
    assert not found[:, :35].any()
    assert found[:, 40:43].all()


def test_bright_roofs_are_no_water_whatever_the_index_says() -> None:
    values = {"green": 0.35, "red": 0.33, "nir": 0.31}
    bands = {name: np.full((10, 10), v, np.float32) for name, v in values.items()}
    codes = np.zeros((10, 10), np.uint8)
    method = water.Method("NDWI", ("green", "nir"), 0.0, -0.12, 0.12, 0.01, {"nir": 0.25})
    water.mark(method, water.index(method, bands), bands, 0.0, codes)
    assert not codes.any()
    bands["nir"][:] = 0.05
    water.mark(method, water.index(method, bands), bands, 0.0, codes)
    assert (codes == 5).all()


def test_an_offset_that_nobody_states_is_recognised(tmp_path: Path) -> None:
    ponds = [(100, 100, 40, 30)]
    shifted = open_scenes(write(tmp_path / "b.tif", ponds, shift=1000))[0]
    assert shifted.bands["nir"].offset == pytest.approx(-0.1)
    assert "shuitu:offset" in shifted.properties
    assert open_scenes(write(tmp_path / "a.tif", ponds))[0].bands["nir"].offset == 0


@pytest.mark.parametrize(
    ("kind", "factor", "scale", "calibrated"),
    [
        ("float32", 1e-4, 1.0, True),
        ("float32", 1.0, 1e-4, True),
        ("float32", 0.05, 1.0, False),
        ("uint8", 0.05, 1.0, False),
    ],
)
def test_what_numbers_look_like_says_what_they_are(
    kind: str, factor: float, scale: float, calibrated: bool, tmp_path: Path
) -> None:
    with rasterio.open(write(tmp_path / "a.tif", [])) as source:
        pixels, profile = source.read() * factor, source.profile | {"dtype": kind}
    with rasterio.open(tmp_path / "b.tif", "w", **profile) as target:
        target.write(pixels.astype(kind))
        target.descriptions = ("blue", "green", "red", "nir")
    scene = open_scenes(tmp_path / "b.tif")[0]
    assert (scene.bands["nir"].scale, scene.calibrated) == (scale, calibrated)


def test_scale_and_offset_of_the_file_itself_are_honoured(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [])
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (2e-4,) * 4, (-0.05,) * 4
    band = open_scenes(path)[0].bands["red"]
    assert (band.scale, band.offset) == (2e-4, -0.05)


def test_a_corner_of_registered_water_is_a_part_of_it_and_a_pond_behind_a_dike_is_not(tmp_path: Path) -> None:
    # 60 × 60 pixels with an intake in the west; one mixed row of pixels away 6 × 20, one column away 20 × 30.
    path = write(tmp_path / "s.tif", [(100, 100, 60, 60), (161, 110, 6, 20), (110, 161, 20, 30)])
    found = run(path, tmp_path, intake(WEST + 1000, NORTH - 1300), min_score=0.0)
    assert [round(c.area_m2) for c in found.candidates] == [60_000]
    (behind,) = found.candidates
    assert behind.evidence["adjoins_served_m2"] == 360_000
    assert "adjoins_served" in [reason["code"] for reason in behind.reasons]
    alone = run(path, tmp_path, min_score=0.0).candidates
    assert "adjoins_served" not in next(c.evidence["doubts"] for c in alone if round(c.area_m2) == 60_000)


def test_a_product_is_found_by_its_metadata_file_and_in_a_folder_of_products(tmp_path: Path) -> None:
    base = "LC09_L2SP_120037_20240512_20240513_02_T1"
    folder = tmp_path / "all" / base
    folder.mkdir(parents=True)
    metadata = folder / f"{base}_MTL.txt"
    metadata.write_text('  SPACECRAFT_ID = "LANDSAT_9"\n  DATE_ACQUIRED = 2024-05-12\n')
    for digit in "3456":
        with rasterio.open(
            folder / f"{base}_SR_B{digit}.TIF", "w", driver="GTiff", width=20, height=20, count=1, dtype="uint16",
            crs=CRS, transform=from_origin(WEST, NORTH, 30, 30),
        ) as target:  # fmt: skip
            target.write(np.full((20, 20), 9_000, np.uint16), 1)
    assert [s.item_id for s in open_scenes(metadata)] == [base]
    assert [s.item_id for s in open_scenes(tmp_path / "all")] == [base]


def stac(tmp_path: Path, **properties: Any) -> Path:
    """A catalogue's item over a file, Sentinel-2 as Element 84 and others write it."""
    write(tmp_path / "a.tif", [], shift=1000)
    names = (("blue", 1), ("green", 2), ("red", 3), ("nir", 4))
    path = tmp_path / "item.json"
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2A_50SQB_20240512_0_L2A",
        "properties": {"datetime": "2024-05-12T02:45:29Z", "platform": "sentinel-2a", **properties},
        "assets": {"all": {"href": "a.tif", "eo:bands": [{"name": n, "common_name": n} for n, _ in names]}},
    }  # fmt: skip
    path.write_text(json.dumps(item))
    return path


def test_a_catalogues_item_says_whether_the_offset_is_taken_off_already(tmp_path: Path) -> None:
    assert open_scenes(stac(tmp_path))[0].bands["red"].offset == 0
    baseline = {"s2:processing_baseline": "05.10"}
    assert open_scenes(stac(tmp_path, **baseline))[0].bands["red"].offset == pytest.approx(-0.1)
    applied = {**baseline, "earthsearch:boa_offset_applied": True}
    scene = open_scenes(stac(tmp_path, **applied))[0]
    assert scene.bands["red"] == Band(str(tmp_path / "a.tif"), 3, 1e-4, 0.0, None)
