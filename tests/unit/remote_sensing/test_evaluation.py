"""Any labelled scene can be judged: bands named or guessed, labels of any grid, figures that add up."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine, from_origin
from scipy import ndimage
from typer.testing import CliRunner

from app.screening.cli import evaluate_commands
from remote_sensing import change, clouds, coding, evaluate, labels, naming, recovery, scoring
from remote_sensing.scene import SceneError, open_scenes

CRS, WEST, NORTH = "EPSG:32650", 500_000.0, 3_600_000.0
LAND, POND = (800, 900, 1100, 2600, 2800, 1900), (500, 600, 400, 150, 80, 60)
NAMES = ("blue", "green", "red", "nir", "swir16", "swir22")
PONDS = ((20, 20, 30, 24), (70, 80, 12, 10), (120, 30, 25, 40))


def pixels(size: int = 180, ponds: tuple[tuple[int, int, int, int], ...] = PONDS) -> np.ndarray:
    """Land with rectangular ponds (row, column, height, width), six bands × 10000."""
    made = np.repeat(np.array(LAND, float)[:, None, None], size, 1).repeat(size, 2)
    made *= 1 + 0.05 * np.random.default_rng(1).standard_normal((1, size, size))
    for row, col, height, width in ponds:
        made[:, row : row + height, col : col + width] = np.array(POND, float)[:, None, None]
    return made


def truth(size: int = 180, ponds: tuple[tuple[int, int, int, int], ...] = PONDS) -> np.ndarray:
    made = np.zeros((size, size), np.uint8)
    for row, col, height, width in ponds:
        made[row : row + height, col : col + width] = 1
    return made


def write(path: Path, array: np.ndarray, descriptions: tuple[str, ...] = (), **profile: Any) -> Path:
    array = array if array.ndim == 3 else array[None]
    given = {
        "driver": "GTiff", "count": array.shape[0], "dtype": array.dtype, "height": array.shape[1], "width": array.shape[2],
        "crs": CRS, "transform": from_origin(WEST, NORTH, 10, 10), **profile,
    }  # fmt: skip
    with rasterio.open(path, "w", **given) as target:
        target.write(array)
        if descriptions:
            target.descriptions = descriptions
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write(tmp_path / "scene.tif", pixels().astype(np.uint16), NAMES)


@pytest.mark.parametrize(
    ("descriptions", "kind", "hints", "wanted"),
    [
        (("B02", "B03", "B04", "B08"), "uint16", "", {"blue": 1, "green": 2, "red": 3, "nir": 4}),
        (("S2-L2A-B03", "S2-L2A-B8A", "S2-L2A-B11"), "uint16", "", {"green": 1, "nir08": 2, "swir16": 3}),
        (("SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6"), "uint16", "LC08_L2SP", {"green": 2, "nir": 4, "swir16": 5}),
        (("B1", "B2", "B3", "B4", "B5", "B7"), "uint16", "LT05_x", {"blue": 1, "nir": 4, "swir16": 5, "swir22": 6}),
        (("SR_B3", "SR_B4", "SR_B5"), "uint16", "LC09_x", {"green": 1, "red": 2, "nir": 3}),
        (("Red Edge 1", "Red", "NIR", "Green"), "uint16", "", {"rededge071": 1, "red": 2, "nir": 3, "green": 4}),
        (("蓝", "绿", "红", "近红外", "短波红外1", "短波红外2"), "uint16", "", {"blue": 1, "swir16": 5, "swir22": 6}),
        (("",) * 13, "uint16", "", {"blue": 2, "nir": 8, "cirrus": 11, "swir22": 13}),
        (("",) * 6, "float32", "", {"blue": 1, "swir22": 6}),
        (("",) * 4, "uint8", "m_4709963_se", {"red": 1, "green": 2, "blue": 3, "nir": 4}),
        (("",) * 4, "uint16", "GF2_PMS1", {"blue": 1, "green": 2, "red": 3, "nir": 4}),
        (("",) * 7, "uint16", "LC08_x", {"coastal": 1, "nir": 5, "swir22": 7}),
        (("",), "uint16", "", {}),
    ],
)  # fmt: skip
def test_bands_are_named_by_what_a_file_says_or_holds(
    descriptions: tuple[str, ...], kind: str, hints: str, wanted: dict[str, int]
) -> None:
    found = naming.names(descriptions, kind, hints)
    assert wanted.items() <= found.bands.items()
    assert bool(found.bands) == bool(wanted)
    assert bool(found.guess) == (bool(wanted) and not any(descriptions))


def test_the_colours_of_a_file_say_which_band_is_near_infrared() -> None:
    found = naming.names(("",) * 4, "uint16", "", ("nir", "red", "green", "blue"))
    assert found.bands == {"nir": 1, "red": 2, "green": 3, "blue": 4}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=15))
def test_naming_never_fails_nor_gives_a_band_two_numbers(descriptions: list[str]) -> None:
    found = naming.names(descriptions, "uint16").bands
    assert len(set(found.values())) == len(found)
    assert all(1 <= i <= len(descriptions) for i in found.values())


@pytest.mark.parametrize(
    "grid", ["same", "utm of another zone", "half a pixel off", "polygons", "geopackage"]
)
def test_a_label_of_any_grid_is_brought_to_the_scene(grid: str, scene: Path, tmp_path: Path) -> None:
    shapes = [
        shapely.box(WEST + c * 10, NORTH - (r + h) * 10, WEST + (c + w) * 10, NORTH - r * 10)
        for r, c, h, w in PONDS
    ]
    frame = gpd.GeoDataFrame({"kind": "water"}, geometry=shapes, crs=CRS, index=range(3))
    if grid == "same":
        label = write(tmp_path / "label.tif", truth())
    elif grid == "utm of another zone":
        fine = gpd.GeoSeries(shapes, crs=CRS).to_crs("EPSG:32649")
        west, south, east, north = gpd.GeoSeries([shapely.box(WEST, NORTH - 1800, WEST + 1800, NORTH)], crs=CRS).to_crs("EPSG:32649").total_bounds  # fmt: skip
        size = int(max(east - west, north - south) / 5) + 1
        transform = from_origin(west, north, 5, 5)
        burnt = rasterio.features.rasterize(fine, (size, size), transform=transform).astype(np.uint8)
        label = write(tmp_path / "label.tif", burnt, crs="EPSG:32649", transform=transform)
    elif grid == "half a pixel off":
        moved = from_origin(WEST - 5, NORTH + 5, 10, 10)
        label = write(tmp_path / "label.tif", truth(), transform=moved)
    else:
        label = tmp_path / ("l.geojson" if grid == "polygons" else "l.gpkg")
        (frame.to_crs("EPSG:4326") if grid == "polygons" else frame).to_file(label)
    report = evaluate.masks(open_scenes(scene)[0], label, "water_body")
    assert report["iou"] > (0.85 if "zone" in grid or "half" in grid else 0.98)
    assert set(report) >= {"iou", "f1", "precision", "recall", "by_size", "ci"}
    assert report["by_size"]["20000-100000"]["recall"] == 1
    json.dumps(report)


@pytest.mark.parametrize(
    ("numbers", "nodata", "chosen"),
    [((0, 1), None, 1.0), ((0, 255), None, 255.0), ((0, 1), 255, 1.0), ((0, 3), None, 3.0)],
)
def test_what_stands_for_water_in_a_label_is_found(
    numbers: tuple[int, int], nodata: int | None, chosen: float, scene: Path, tmp_path: Path
) -> None:
    label = np.where(truth() == 1, numbers[1], numbers[0]).astype(np.uint8)
    if nodata is not None:
        label[:10] = nodata
    path = write(tmp_path / "label.tif", label, nodata=nodata)
    read = labels.read(path, open_scenes(scene)[0], "water_body")
    assert read.said["value"] == chosen
    assert read.judged[10:].all()
    assert read.judged[:10].any() == (nodata is None)
    np.testing.assert_array_equal(read.truth, truth() == 1)


@pytest.mark.parametrize("step", [10, 5])
def test_a_mask_that_states_its_land_as_no_data_is_judged_there_too(
    step: int, scene: Path, tmp_path: Path
) -> None:
    mask = truth().repeat(10 // step, 0).repeat(10 // step, 1)
    path = write(tmp_path / "mask.tif", mask, nodata=0, transform=from_origin(WEST, NORTH, step, step))
    read = labels.read(path, open_scenes(scene)[0], "water_body")
    assert read.judged.all() and "0 is land" in read.said["nodata"]
    np.testing.assert_array_equal(read.truth, truth() == 1)
    # With two classes 0 is what the file says.
    path = write(tmp_path / "classes.tif", np.where(mask == 1, 1, 2 * (mask[::-1] == 1)).astype(np.uint8), nodata=0, transform=from_origin(WEST, NORTH, step, step))  # fmt: skip
    assert not labels.read(path, open_scenes(scene)[0], "water_body").judged.all()


@pytest.mark.parametrize(
    ("column", "numbers", "value"), [("DN", (0, 1), 1.0), ("water", (0, 1), 1.0), ("gridcode", (0, 2), 2.0)]
)
def test_polygons_drawn_from_a_raster_keep_what_their_numbers_say(
    column: str, numbers: tuple[int, int], value: float, scene: Path, tmp_path: Path
) -> None:
    drawn = list(rasterio.features.shapes(truth(), transform=from_origin(WEST, NORTH, 10, 10)))
    frame = gpd.GeoDataFrame(
        {column: [numbers[int(n)] for _, n in drawn]}, geometry=[shapely.geometry.shape(g) for g, _ in drawn], crs=CRS
    )  # fmt: skip
    frame.to_file(tmp_path / "drawn.gpkg")
    read = labels.read(tmp_path / "drawn.gpkg", open_scenes(scene)[0], "water_body")
    assert (read.said["column"], read.said["value"]) == (column, value)
    np.testing.assert_array_equal(read.truth, truth() == 1)
    assert read.judged.all()


@pytest.mark.parametrize("count", [4, 40])
def test_numbers_of_objects_are_no_classes(count: int, scene: Path, tmp_path: Path) -> None:
    ponds = np.zeros((180, 180), np.int32)
    for n in range(count):
        row, col = divmod(n, 8)
        ponds[20 * row + 2 : 20 * row + 14, 20 * col + 2 : 20 * col + 14] = n + 1
    read = labels.read(write(tmp_path / "ponds.tif", ponds), open_scenes(scene)[0], "water_body")
    assert read.said["chosen"].startswith("numbers of objects")
    np.testing.assert_array_equal(read.truth, ponds > 0)
    # Classes stand in many places: 4 of them are no objects, and nor is what --value names.
    classes = np.where(ponds > 0, ponds % 4 + 1, 0) if count > 4 else ponds
    path = write(tmp_path / "classes.tif", classes)
    read = labels.read(path, open_scenes(scene)[0], "water_body", value="2")
    np.testing.assert_array_equal(read.truth, classes == 2)
    if count > 4:
        assert labels.read(path, open_scenes(scene)[0], "water_body").said["value"] != "> 0"


def test_a_class_that_is_no_number_is_refused_in_words(scene: Path, tmp_path: Path) -> None:
    label = write(tmp_path / "label.tif", truth())
    for wrong in (["--value", "water"], ["--left-out", "cloud"]):
        said = CliRunner().invoke(evaluate_commands(), ["water", str(scene), str(label), *wrong])
        assert "数字" in str(said.exception) and wrong[1] in str(said.exception)


def test_a_labels_own_words_say_which_class_is_a_field_and_what_is_not_judged(scene: Path, tmp_path: Path) -> None:  # fmt: skip
    label = truth()
    label[150:160] = 2
    label[170:] = 3
    path = write(tmp_path / "label.tif", label, ("1 water, 2 active field, 3 other green (ignore), 0 other",))
    read = labels.read(path, open_scenes(scene)[0], "irrigated_land")
    assert read.said["value"] == 2
    assert (int(read.truth.sum()), bool(read.judged[170:].any())) == (1800, False)


def test_polygons_of_several_lands_judge_only_inside_themselves(scene: Path, tmp_path: Path) -> None:
    boxes = [shapely.box(WEST + 200, NORTH - 500, WEST + 440, NORTH - 200), shapely.box(WEST + 1000, NORTH - 300, WEST + 1300, NORTH)]  # fmt: skip
    gpd.GeoDataFrame({"class": ["water", "forest"]}, geometry=boxes, crs=CRS).to_file(tmp_path / "l.geojson")
    report = evaluate.masks(open_scenes(scene)[0], tmp_path / "l.geojson", "water_body")
    assert report["label"]["judged"] == "inside the polygons"
    assert report["judged_pixels"] == 24 * 30 + 30 * 30
    assert report["iou"] == 1


@pytest.mark.parametrize("form", ["float", "nan", "landsat", "offset", "south-up", "rotated", "no names"])
def test_the_same_scene_in_other_forms_gives_the_same_water(form: str, tmp_path: Path) -> None:
    array, names, label = pixels(), NAMES, truth()
    profile: dict[str, Any] = {}
    name, grid = "scene.tif", from_origin(WEST, NORTH, 10, 10)
    made = array.astype(np.uint16)
    if form == "float":
        made = (array / 10_000).astype(np.float32)
    elif form == "nan":
        made = (array / 10_000).astype(np.float32)
        made[:, :15] = np.nan
        profile["nodata"] = np.nan
    elif form == "landsat":
        name, names = "LC08_L2SP_120037_20240512.tif", ()
        made = ((array / 10_000 + 0.2) / 2.75e-5).astype(np.uint16)
    elif form == "offset":
        made = (array + 1000).astype(np.uint16)
    elif form == "south-up":
        made, label, grid = (
            made[:, ::-1],
            label[::-1],
            grid * Affine.translation(0, 180) * Affine.scale(1, -1),
        )
    elif form == "rotated":
        grid = grid * Affine.rotation(25)
    else:
        names = ()
    opened = open_scenes(write(tmp_path / name, made, names, transform=grid, **profile))[0]
    report = evaluate.masks(opened, write(tmp_path / "label.tif", label, transform=grid), "water_body")
    assert report["iou"] > 0.98
    assert ("bands" in report["assumed"]) == (not names)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("fault", ["truncated", "no crs", "one band", "no data", "elsewhere", "no label"])
def test_what_cannot_be_judged_is_told_in_words(fault: str, tmp_path: Path) -> None:
    array, profile = pixels().astype(np.uint16), {}
    if fault == "one band":
        array = array[:1]
    elif fault == "no data":
        array, profile = array * 0, {"nodata": 0}
    elif fault == "no crs":
        profile = {"crs": None}
    names = NAMES[: len(array)]
    path = write(tmp_path / "scene.tif", array, names, compress="deflate", **profile)
    far = (
        from_origin(WEST + 90_000, NORTH, 10, 10)
        if fault == "elsewhere"
        else from_origin(WEST, NORTH, 10, 10)
    )
    label = write(tmp_path / "label.tif", truth(), transform=far)
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if fault == "no label":
        label = tmp_path / "none.tif"
    said = CliRunner().invoke(evaluate_commands(), ["water", str(path), str(label)])
    assert said.exit_code != 0
    assert any("\u4e00" <= letter <= "\u9fff" for letter in str(said.exception))


def test_numbers_that_are_no_reflectance_are_a_picture(tmp_path: Path) -> None:
    for factor, kind in ((1e6, np.float32), (0.1, np.uint16), (12, np.uint16)):
        path = write(tmp_path / f"{factor}.tif", (pixels() * factor).clip(0, 60_000 if kind is np.uint16 else np.inf).astype(kind), NAMES)  # fmt: skip
        assert not open_scenes(path)[0].calibrated, factor
    absurd = write(tmp_path / "scaled.tif", pixels().astype(np.uint16), NAMES)
    with rasterio.open(absurd, "r+") as target:
        target.scales = (5.0,) * 6
    assert open_scenes(absurd)[0].bands["nir"].scale == 1e-4
    assert not coding.sensible(float("nan"), 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999))
def test_figures_of_a_mask_agree_with_one_another(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask, true, judged = (rng.random((30, 40)) < share for share in (0.3, 0.3, 0.9))
    figures = scoring.counts(mask, true, judged).figures()
    assert figures["f1"] == pytest.approx(2 * figures["iou"] / (1 + figures["iou"]))
    ci = scoring.interval(scoring.by_blocks(mask, true, judged))
    assert ci["iou"][0] <= figures["iou"] + 1e-3
    assert figures["iou"] <= ci["iou"][1] + 1e-3
    same = scoring.counts(true, true, judged).figures()
    assert same == {"iou": 1, "f1": 1, "precision": 1, "recall": 1}


def test_a_score_that_says_what_happens_has_no_calibration_error() -> None:
    rng = np.random.default_rng(4)
    score = rng.random(20_000)
    assert scoring.calibration_error(score, rng.random(20_000) < score) < 0.02
    assert scoring.calibration_error(np.full(100, 0.9), np.zeros(100, bool)) == pytest.approx(0.9)


def test_new_water_leaves_a_margin_along_old_shores() -> None:
    before, now = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    before[10:30, 10:30] = True
    now[8:32, 8:32] = True  # two pixels all around: a shift, mixed pixels
    assert not change.gained(now, before).any()
    now[8:32, 8:45] = now[45:50, 5:9] = True
    found = change.gained(now, before)
    assert found[8:32, 33:45].any()
    assert found[45:50, 5:9].all()
    # A speck of wet ground at the earlier date is no shore.
    speck = before.copy()
    speck[46:49, 6:9] = True
    assert change.gained(now, speck, speck=20.0)[45:50, 5:6].sum() == 0
    assert change.gained(now, speck, speck=5.0).sum() == found.sum() - 20


def test_change_is_judged_by_objects_whatever_the_two_grids(tmp_path: Path) -> None:
    early = write(tmp_path / "a_20200501.tif", pixels(ponds=PONDS[:2]).astype(np.uint16), NAMES)
    wide = from_origin(WEST - 50, NORTH + 50, 10, 10)
    padded = np.pad(pixels(), ((0, 0), (5, 5), (5, 5)), mode="edge").astype(np.uint16)
    late = write(tmp_path / "b_20240501.tif", padded, NAMES, transform=wide)
    r, c, h, w = PONDS[2]
    new = shapely.box(WEST + c * 10, NORTH - (r + h) * 10, WEST + (c + w) * 10, NORTH - r * 10)
    gpd.GeoDataFrame({"kind": ["new_body"]}, geometry=[new], crs=CRS).to_file(tmp_path / "t.geojson")
    out = tmp_path / "out.json"
    said = CliRunner().invoke(evaluate_commands(), ["change", str(early), str(late), str(tmp_path / "t.geojson"), "--json", str(out)])  # fmt: skip
    assert said.exit_code == 0, said.output
    report = json.loads(out.read_text())
    assert (report["precision"], report["recall"], report["changes"]) == (1, 1, 1)
    assert report["by_kind"]["new_body"]["found"] == 1


@pytest.mark.parametrize("form", ["words", "codes", "not judged"])
def test_a_truth_may_tell_new_water_from_lost_and_leave_ground_out(form: str, tmp_path: Path) -> None:
    early = write(tmp_path / "a_20200501.tif", pixels(ponds=PONDS[:2]).astype(np.uint16), NAMES)
    late = write(tmp_path / "b_20240501.tif", pixels(ponds=PONDS[1:]).astype(np.uint16), NAMES)
    new, lost = truth(ponds=PONDS[2:]), truth(ponds=PONDS[:1])
    given: list[str] = []
    if form == "words":
        boxes = [shapely.box(WEST + c * 10, NORTH - (r + h) * 10, WEST + (c + w) * 10, NORTH - r * 10) for r, c, h, w in (PONDS[2], PONDS[0])]  # fmt: skip
        path = tmp_path / "t.gpkg"
        gpd.GeoDataFrame({"change": ["gain", "loss"]}, geometry=boxes, crs=CRS).to_file(path)
    elif form == "codes":
        path, given = write(tmp_path / "t.tif", new * 2 + lost * np.uint8(3)), ["--value", "2"]
    else:
        path = write(tmp_path / "t.tif", np.where(new == 1, 255, 0).astype(np.uint8), nodata=255)
    out = tmp_path / "out.json"
    said = CliRunner().invoke(evaluate_commands(), ["change", str(early), str(late), str(path), *given, "--json", str(out)])  # fmt: skip
    assert said.exit_code == 0, said.output
    report = json.loads(out.read_text())
    assert (report["changes"], report["findings"], report["f1"]) == ((0, 0, 1) if form == "not judged" else (1, 1, 1))  # fmt: skip


def test_intakes_may_be_areas_and_those_beside_the_scene_are_counted_and_not_drawn(scene: Path, tmp_path: Path) -> None:  # fmt: skip
    shores = [shapely.Point(WEST + c * 10, NORTH - (r + h / 2) * 10).buffer(20) for r, c, h, _ in PONDS]
    far = shapely.Point(WEST + 90_000, NORTH)
    visible = gpd.GeoDataFrame(geometry=[*shores[:2], far], crs=CRS)
    hidden = gpd.GeoDataFrame(geometry=shores[2:], crs=CRS)
    report = recovery.recover(open_scenes(scene), visible, hidden, seeds=6)
    assert report["intakes"] == {"visible": 2, "hidden": 1, "outside": 1}
    assert (report["precision"], report["recall"]) == (1, 1)
    with pytest.raises(SceneError, match=r"visible .*经纬度次序"):
        recovery.recover(open_scenes(scene), visible[2:], hidden, seeds=1)


def test_hidden_intakes_are_found_again_by_command(scene: Path, tmp_path: Path) -> None:
    shores = [shapely.Point(WEST + c * 10, NORTH - (r + h / 2) * 10) for r, c, h, _ in PONDS]
    points = gpd.GeoDataFrame(geometry=shores, crs=CRS)
    points[:2].to_file(tmp_path / "v.geojson")
    points[2:].to_file(tmp_path / "h.geojson")
    out = tmp_path / "out.json"
    given = [
        "recover",
        str(scene),
        "--visible",
        str(tmp_path / "v.geojson"),
        "--hidden",
        str(tmp_path / "h.geojson"),
    ]
    said = CliRunner().invoke(evaluate_commands(), [*given, "--seeds", "6", "--json", str(out)])
    assert said.exit_code == 0, said.output
    report = json.loads(out.read_text())
    assert (report["precision"], report["recall"], report["seeds"]) == (1, 1, 6)
    assert report["given"]["hidden_found"] == 1
    assert report["ece"] <= 1


def test_registers_may_be_tables_and_wells_explain_no_pond(scene: Path, tmp_path: Path) -> None:
    shores = [shapely.Point(WEST + c * 10, NORTH - (r + h / 2) * 10) for r, c, h, _ in PONDS]
    at = gpd.GeoSeries(shores, crs=CRS).to_crs("EPSG:4326")
    rows = [f"{p.x},{p.y},{kind}" for p, kind in zip(at, ("地表水", "地下水", "地表水"), strict=True)]
    for name, part in (("v", rows[:2]), ("h", rows[2:])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["经度,纬度,source_type", *part]), "utf-8")
    visible, hidden = (labels.polygons(tmp_path / f"{name}.csv") for name in "vh")
    report = recovery.recover(open_scenes(scene), visible, hidden, seeds=1)
    assert report["given"]["hidden_found"] == 1
    assert report["given"]["unknown"] == 1  # the pond beside the well
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SceneError, match="经纬度"):
        labels.polygons(tmp_path / "bad.csv")


def test_an_intake_explains_the_nearest_water_and_not_its_neighbour(tmp_path: Path) -> None:
    twins = ((20, 20, 30, 20), (20, 43, 30, 20))  # 30 m of land between two ponds
    path = write(tmp_path / "s.tif", pixels(ponds=twins).astype(np.uint16), NAMES)
    at_first = gpd.GeoDataFrame(geometry=[shapely.Point(WEST + 400, NORTH - 350)], crs=CRS)
    other = gpd.GeoDataFrame(geometry=[shapely.Point(WEST + 630, NORTH - 350)], crs=CRS)
    report = recovery.recover(open_scenes(path), at_first, other, seeds=1)
    assert report["given"]["hidden_found"] == 1
    assert report["given"]["precision"] == 1


def test_land_in_the_shadow_of_a_cloud_is_no_water(tmp_path: Path) -> None:
    array = pixels(size=300, ponds=()) / 10_000
    array[3] = 0.16  # dry land
    haze = np.array([0.09, 0.05, 0.03, 0.01, 0.002, 0.001])[:, None, None]
    light = np.array([0.45, 0.38, 0.33, 0.25, 0.2, 0.2])[:, None, None]
    array += haze
    array[:, 100:150, 100:160] = (array[:, 100:150, 100:160] - haze) * light + haze
    shaded = write(tmp_path / "dark.tif", array.astype(np.float32), NAMES)
    # Without a cloud that could cast it, dark land may be flood water: colours alone do not tell.
    assert not clouds.shadows_of(open_scenes(shaded)[0])
    array[:, 130:180, 60:120] = np.array([0.5, 0.5, 0.5, 0.52, 0.4, 0.3])[:, None, None]
    array[:, 220:250, 220:260] = (np.array(POND) / 10_000)[:, None, None] + haze
    with_cloud = open_scenes(write(tmp_path / "cloud.tif", array.astype(np.float32), NAMES))[0]
    mask = evaluate.mask_by_us(with_cloud, "water_body")
    assert mask[220:250, 220:260].mean() > 0.98
    assert mask.sum() - mask[220:250, 220:260].sum() < 0.002 * mask.size


@pytest.mark.parametrize("kind", ["scl", "qa_pixel"])
def test_what_a_scene_says_of_clouds_is_believed_and_of_shadow_only_on_dull_land(kind: str, tmp_path: Path) -> None:  # fmt: skip
    array = pixels()
    array[3, 90:110, 130:150] = 60  # dark land: green does not stand out
    array[:, 90:110, 130:150] = np.array([70, 60, 70, 60, 30, 15])[:, None, None]
    cloud, shadow, clear = (9, 3, 5) if kind == "scl" else (1 << 3, 1 << 4, 1 << 6)
    classes = np.full((1, 180, 180), clear)
    classes[:, 15:60, 15:60], classes[:, 60:160] = cloud, shadow
    both = np.concatenate([array, classes]).astype(np.uint16)
    scene = open_scenes(write(tmp_path / "s.tif", both, (*NAMES, kind.upper())))[0]
    assert {*NAMES, kind} == set(scene.bands)
    mask = evaluate.mask_by_us(scene, "water_body")
    assert not mask[15:60, 15:60].any()  # a pond under cloud
    assert not mask[90:110, 130:150].any()
    assert mask[120:145, 30:70].mean() > 0.95  # a pond that the classes call shadow


def test_a_large_cloud_beside_a_flood_does_not_turn_the_flood_into_its_shadow(tmp_path: Path) -> None:
    rough = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal((300, 300)), 8)
    flood = rough > np.quantile(rough, 0.7)
    array = pixels(size=300, ponds=()) / 10_000
    array[:, flood] = (np.array(POND) / 10_000)[:, None]
    clear = evaluate.mask_by_us(open_scenes(write(tmp_path / "clear.tif", array.astype(np.float32), NAMES))[0], "water_body")  # fmt: skip
    array[:, :, :100] = np.array([0.5, 0.5, 0.5, 0.52, 0.4, 0.3])[:, None, None]
    cloudy = evaluate.mask_by_us(open_scenes(write(tmp_path / "cloudy.tif", array.astype(np.float32), NAMES))[0], "water_body")  # fmt: skip
    assert clear[:, 100:].mean() > 0.2
    assert (cloudy & clear)[:, 100:].sum() > 0.98 * clear[:, 100:].sum()
    assert not cloudy[:, :100].any()


@pytest.mark.parametrize("told", [False, True])
def test_a_cloud_is_no_mode_that_moves_the_limit_of_water(told: bool, tmp_path: Path) -> None:
    array = pixels(size=300, ponds=((220, 220, 40, 40),)) / 10_000
    array[3][array[3] > 0.1] *= 0.65  # dry land: half way to a cloud the index passes for that of water
    array[:, 20:60, 220:280] = np.array([0.10, 0.115, 0.125, 0.13, 0.1, 0.1])[:, None, None]  # damp ground
    array[:, :, :120] = np.array([0.5, 0.5, 0.5, 0.52, 0.4, 0.3])[:, None, None]
    bands, names = array[:4] * 10_000, NAMES[:4]
    if told:
        classes = np.where(np.arange(300) < 120, 9, 4) * np.ones((1, 300, 1))
        bands, names = np.concatenate([bands, classes]), (*names, "SCL")
    scene = open_scenes(write(tmp_path / "s.tif", bands.astype(np.uint16), names))[0]
    mask = evaluate.mask_by_us(scene, "water_body")
    assert mask[220:260, 220:260].all()
    assert mask.sum() == 1600


def test_snow_and_greenhouses_are_no_clouds(tmp_path: Path) -> None:
    array = pixels(size=200, ponds=()) / 10_000
    array[:, 20:80, 20:80] = np.array([0.8, 0.8, 0.78, 0.7, 0.08, 0.06])[:, None, None]
    array[:, 120:128, 120:128] = 0.5
    assert not clouds.shadows_of(open_scenes(write(tmp_path / "s.tif", array.astype(np.float32), NAMES))[0])


def test_a_label_without_a_place_must_fit_the_scene(scene: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "label.tif", truth()[:100], crs=None)
    with pytest.raises(SceneError, match="没有坐标系"):
        labels.read(path, open_scenes(scene)[0], "water_body")
