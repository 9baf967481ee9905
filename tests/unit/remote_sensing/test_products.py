"""Products as agencies hand them out, made in miniature from the real pixels of spyndex, give the same reflectance."""

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import spyndex
from rasterio.transform import Affine, from_origin
from rasterio.windows import Window
from typer.testing import CliRunner

from app.cli import app
from remote_sensing import evaluate
from remote_sensing.scene import Scene, SceneError, open_scenes

SIDE = 120
WHOLE = Window(0, 0, SIDE, SIDE)
NAMES = ("blue", "green", "red", "nir", "swir16", "swir22")
S2 = dict(zip(NAMES, ("B02", "B03", "B04", "B08", "B11", "B12"), strict=True))
OLI = dict(zip(NAMES, ("B2", "B3", "B4", "B5", "B6", "B7"), strict=True))
Make = Callable[[Path], Path]


def truth() -> dict[str, np.ndarray]:
    """Reflectance of a real place with a reservoir; short wave as near infrared over it, as land and water have it."""
    found = np.asarray(spyndex.datasets.open("sentinel"))[:, :SIDE, 50 : 50 + SIDE].astype(np.float32) / 1e4
    bands = dict(zip(NAMES, found, strict=False))
    return bands | {"swir16": bands["nir"] * 0.8 + 0.01, "swir22": bands["nir"] * 0.5 + 0.01}


TRUTH = truth()


def write(
    path: Path, planes: Sequence[np.ndarray], kind: str = "uint16", descriptions: Sequence[str] = (), *,
    step: float = 10, crs: str | None = "EPSG:32650", driver: str = "GTiff", transform: Affine | None = None, **more: Any,
) -> Path:  # fmt: skip
    """A raster of planes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.array(planes)
    options = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    with rasterio.open(
        path, "w", driver=driver, count=len(whole), height=whole.shape[1], width=whole.shape[2], dtype=kind, crs=crs,
        transform=transform or from_origin(5e5, 3.6e6, step, step), **options, **more,
    ) as target:  # fmt: skip
        target.write(whole.astype(kind))
        if descriptions:
            target.descriptions = tuple(descriptions)
    return path


def dn(name: str, scale: float = 1e-4, offset: float = 0.0) -> np.ndarray:
    return np.round((TRUTH[name] - offset) / scale)


def safe(level: str, folder: Path, baseline: str = "0510", ext: str = "tif") -> Path:
    product = f"S2B_MSIL{level}_20240512T024529_N{baseline}_R132_T50SQB_20240512T052215"
    root = folder / f"{product}.SAFE"
    shift = 1000 if int(baseline) >= 400 else 0
    tag = "BOA_ADD_OFFSET" if level == "2A" else "RADIO_ADD_OFFSET"
    ids = {"B02": 1, "B03": 2, "B04": 3, "B08": 7, "B11": 11, "B12": 12}
    offsets = "".join(f'<{tag} band_id="{i}">-1000</{tag}>' for i in ids.values()) if shift else ""
    value = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    root.mkdir(parents=True)
    (root / f"MTD_MSIL{level}.xml").write_text(
        f"<a><PRODUCT_START_TIME>2024-05-12T02:45:29.024Z</PRODUCT_START_TIME><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>"
        f"<{value}>10000</{value}>{offsets}</a>"
    )
    data = root / f"GRANULE/L{level}_T50SQB_A037497_20240512T025410/IMG_DATA"
    driver = "JP2OpenJPEG" if ext == "jp2" else "GTiff"
    for name, code in S2.items():
        coarse = 2 if name.startswith("swir") else 1
        file = f"T50SQB_20240512T024529_{code}"
        where = (
            data / f"R{10 * coarse}m" / f"{file}_{10 * coarse}m.{ext}"
            if level == "2A"
            else data / f"{file}.{ext}"
        )
        plane = (dn(name) + shift).reshape(SIDE // coarse, coarse, SIDE // coarse, coarse).mean((1, 3))
        write(where, [plane], step=10 * coarse, driver=driver)
    if level == "2A":
        write(
            data / f"R20m/T50SQB_20240512T024529_SCL_20m.{ext}",
            [np.full((SIDE // 2, SIDE // 2), 4)],
            "uint8",
            step=20,
            driver=driver,
        )
        write(
            data / f"R10m/T50SQB_20240512T024529_TCI_10m.{ext}",
            [np.full((SIDE, SIDE), 9)] * 3,
            "uint8",
            driver=driver,
        )
    return root


def zipped(make: Make) -> Make:
    def made(folder: Path) -> Path:
        root = make(folder / "unpacked")
        with zipfile.ZipFile(folder / f"{root.name}.zip", "w") as target:
            for file in sorted(root.rglob("*")):
                target.write(file, file.relative_to(root.parent))
        shutil.rmtree(root)
        return folder / f"{root.name}.zip"

    return made


def landsat(folder: Path, *, level: int = 2, sensor: str = "LC09", metadata: str = "txt") -> Path:
    base = f"{sensor}_L{level}{'SP' if level == 2 else 'TP'}_120037_20240512_20240513_02_T1"
    root = folder / base
    early = sensor in ("LE07", "LT05")
    facts = {
        "SPACECRAFT_ID": f"LANDSAT_{sensor[-1]}", "DATE_ACQUIRED": "2024-05-12", "SCENE_CENTER_TIME": "02:31:10.1Z",
        "CLOUD_COVER": "3.1", "SUN_ELEVATION": "30.0",
    }  # fmt: skip
    for digit in "1234567":
        facts |= {
            f"REFLECTANCE_MULT_BAND_{digit}": "2.0000E-05",
            f"REFLECTANCE_ADD_BAND_{digit}": "-0.100000",
        }
    for number, name in enumerate(NAMES):
        digit = (1, 2, 3, 4, 5, 7)[number] if early else number + 2
        scale, offset = (2.75e-5, -0.2) if level == 2 else (2e-5 / 0.5, -0.1 / 0.5)
        middle = "_SR" if level == 2 else ""
        write(root / f"{base}{middle}_B{digit}.TIF", [dn(name, scale, offset)], step=30, nodata=0)
    if level == 2:
        write(root / f"{base}_ST_B{6 if early else 10}.TIF", [np.full((SIDE, SIDE), 44_000)], step=30)
    write(root / f"{base}_QA_PIXEL.TIF", [np.full((SIDE, SIDE), 21_824)], step=30)
    if metadata == "txt":
        (root / f"{base}_MTL.txt").write_text("\n".join(f'  {k} = "{v}"' for k, v in facts.items()))
    elif metadata == "json":
        (root / f"{base}_MTL.json").write_text(json.dumps({"LANDSAT_METADATA_FILE": {"A": facts}}))
    elif metadata == "xml":
        (root / f"{base}_MTL.xml").write_text(
            "<A>" + "".join(f"<{k}>{v}</{k}>" for k, v in facts.items()) + "</A>"
        )
    return root


def tarred(folder: Path) -> Path:
    root = landsat(folder / "unpacked")
    with tarfile.open(folder / f"{root.name}.tar", "w") as target:
        for file in sorted(root.iterdir()):
            target.add(file, file.name)
    shutil.rmtree(root)
    return folder / f"{root.name}.tar"


def hls(sensor: str, folder: Path) -> Path:
    base = f"HLS.{sensor}.T50SQB.2024133T023112.v2.0"
    codes = (*S2.values(),) if sensor == "S30" else tuple(f"B0{i}" for i in range(2, 8))
    for name, code in zip(NAMES, codes, strict=True):
        write(folder / f"{base}.{code}.tif", [dn(name)], "int16", step=30, nodata=-9999)
    write(folder / f"{base}.Fmask.tif", [np.full((SIDE, SIDE), 64)], "uint8", step=30)
    return folder


def by_words(names: Sequence[str], folder: Path) -> Path:
    for name, word in zip(NAMES, names, strict=False):
        write(folder / f"2024-05-12_{word}.tif", [dn(name)])
    return folder


def item(assets: Mapping[str, Any], folder: Path, **properties: Any) -> Path:
    held = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2B_50SQB_20240512_0_L2A", "geometry": None, "links": [],
        "properties": {"datetime": "2024-05-12T02:45:29Z", **properties}, "assets": assets,
    }  # fmt: skip
    (folder / "item.json").write_text(json.dumps(held))
    return folder / "item.json"


def earth_search(folder: Path) -> Path:
    """As Element 84 writes it: the picture stands among the assets, and the offset is taken off already."""
    assets: dict[str, Any] = {}
    for name in NAMES:
        write(folder / f"{S2[name]}.tif", [dn(name)], nodata=0)
        common = {"eo:bands": [{"name": name, "common_name": name}], "roles": ["data", "reflectance"]}
        assets[name] = {
            "href": f"{S2[name]}.tif",
            **common,
            "raster:bands": [{"nodata": 0, "scale": 1e-4, "offset": -0.1}],
        }
    write(folder / "TCI.tif", [np.full((SIDE, SIDE), 9)] * 3, "uint8")
    visual = {
        "href": "TCI.tif",
        "roles": ["visual"],
        "eo:bands": [{"common_name": n} for n in ("red", "green", "blue")],
    }
    made = {
        "visual": visual,
        **assets,
        "thumbnail": {"href": "t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
    }
    return item(
        made,
        folder,
        platform="sentinel-2b",
        **{"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.10"},
    )


def planetary(folder: Path) -> Path:
    """As Microsoft writes it: no scale, but the baseline; classes beside the bands."""
    assets: dict[str, Any] = {}
    for name, code in S2.items():
        write(folder / f"{code}.tif", [dn(name) + 1000], nodata=0)
        assets[code] = {
            "href": f"{code}.tif",
            "roles": ["data"],
            "eo:bands": [{"name": code, "common_name": name}],
        }
    write(folder / "scl.tif", [np.full((SIDE // 2, SIDE // 2), 4)], "uint8", step=20)
    assets["SCL"] = {"href": "scl.tif", "roles": ["data"], "eo:bands": [{"name": "SCL"}]}
    return item(assets, folder, platform="Sentinel-2B", **{"s2:processing_baseline": "05.10"})


def stac_1_1(folder: Path) -> Path:
    """STAC 1.1: `bands`, with scale and offset of the whole asset."""
    assets: dict[str, Any] = {}
    for name, code in S2.items():
        write(folder / f"{code}.tif", [dn(name) + 1000], nodata=0)
        assets[f"{code}_10m"] = {
            "href": f"{code}.tif", "roles": ["data"], "bands": [{"name": code, "eo:common_name": name}],
            "raster:scale": 1e-4, "raster:offset": -0.1, "nodata": 0,
        }  # fmt: skip
    return item(assets, folder, platform="sentinel-2b")


def landsat_item(folder: Path) -> Path:
    """Landsat as Microsoft and the USGS write it: nir08, bits of quality, the scale of Collection 2."""
    assets: dict[str, Any] = {}
    for name in NAMES:
        called = "nir08" if name == "nir" else name
        write(folder / f"{name}.tif", [dn(name, 2.75e-5, -0.2)], step=30, nodata=0)
        assets[called] = {
            "href": f"{name}.tif", "eo:bands": [{"name": "OLI", "common_name": called}],
            "raster:bands": [{"scale": 2.75e-5, "offset": -0.2, "nodata": 0}],
        }  # fmt: skip
    write(folder / "qa.tif", [np.full((SIDE, SIDE), 21_824)], step=30)
    assets["qa_pixel"] = {"href": "qa.tif"}
    return item(assets, folder, platform="landsat-9")


def catalogue(folder: Path) -> Path:
    """A catalogue of files with an item below."""
    below = folder / "items"
    below.mkdir()
    stac_1_1(below)
    links = [{"rel": "item", "href": "./items/item.json"}]
    held = {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "description": "c", "links": links}
    (folder / "catalog.json").write_text(json.dumps(held))
    return folder / "catalog.json"


def answer(folder: Path) -> Path:
    """What a search of an API gives."""
    made = json.loads(stac_1_1(folder).read_text())
    (folder / "answer.json").write_text(json.dumps({"type": "FeatureCollection", "features": [made]}))
    return folder / "answer.json"


def stack(
    kind: str,
    scale: float,
    offset: float,
    descriptions: Sequence[str],
    names: Sequence[str] = NAMES,
    **more: Any,
) -> Make:
    def made(folder: Path) -> Path:
        planes = [TRUTH[n] / scale - offset / scale for n in names]
        if np.dtype(kind).kind != "f":
            planes = [np.round(p) for p in planes]
        return write(folder / "scene_20240512.tif", planes, kind, descriptions, **more)

    return made


FOUR = NAMES[:4]
PRODUCTS: dict[str, Make] = {
    "SAFE 2A": lambda f: safe("2A", f),
    "SAFE 2A, jp2": lambda f: safe("2A", f, ext="jp2"),
    "SAFE 2A, old baseline": lambda f: safe("2A", f, "0301"),
    "SAFE 1C": lambda f: safe("1C", f),
    "SAFE 2A, zip": zipped(lambda f: safe("2A", f)),
    "SAFE 1C, jp2, zip": zipped(lambda f: safe("1C", f, ext="jp2")),
    "Landsat 9 level 2": landsat,
    "Landsat 9 level 1": lambda f: landsat(f, level=1),
    "Landsat 8, MTL.json": lambda f: landsat(f, sensor="LC08", metadata="json"),
    "Landsat 8, MTL.xml": lambda f: landsat(f, sensor="LC08", metadata="xml"),
    "Landsat 9 without metadata": lambda f: landsat(f, metadata=""),
    "Landsat 7": lambda f: landsat(f, sensor="LE07"),
    "Landsat 5 level 1": lambda f: landsat(f, sensor="LT05", level=1),
    "Landsat 9, tar": tarred,
    "HLS L30": lambda f: hls("L30", f),
    "HLS S30": lambda f: hls("S30", f),
    "one file a band, codes": lambda f: by_words(("B02", "B03", "B04", "B08"), f),
    "one file a band, words": lambda f: by_words(("Greenland_blue", "Greenland_green", "Greenland_red", "Greenland_nir"), f),
    "one file a band, Chinese": lambda f: by_words(("蓝", "绿", "红", "近红外"), f),
    "STAC, Earth Search": earth_search,
    "STAC, Planetary Computer": planetary,
    "STAC 1.1": stac_1_1,
    "STAC, Landsat": landsat_item,
    "STAC, a catalogue of files": catalogue,
    "STAC, an answer of a search": answer,
    "COG-like, codes": stack("uint16", 1e-4, 0, (*S2.values(),)),
    "words in Chinese": stack("uint16", 1e-4, 0, ("蓝", "绿", "红", "近红外"), FOUR),
    "wavelengths": stack("uint16", 1e-4, 0, ("492.4 nm", "559.8 nm", "664.6 nm", "0.8328 µm", "1613.7 nm", "2202.4 nm")),
    "names with numbers": stack("uint16", 1e-4, 0, ("Blue (B2)", "Green (B3)", "Red (B4)", "NIR (B8)"), FOUR),
    "float, 0–1, NaN": stack("float32", 1, 0, NAMES, nodata=float("nan")),
    "float, 0–10000": stack("float32", 1e-4, 0, NAMES),
    "double": stack("float64", 1, 0, NAMES),
    "int16, -9999": stack("int16", 1e-4, 0, NAMES, nodata=-9999),
    "planar": stack("uint16", 1e-4, 0, NAMES, interleave="band"),
    "Landsat stack": stack("uint16", 2.75e-5, -0.2, [f"SR_{b}" for b in OLI.values()]),
    "no names": stack("uint16", 1e-4, 0, (), FOUR),
    "south-up": stack("uint16", 1e-4, 0, NAMES, transform=Affine(10, 0, 5e5, 0, 10, 3.5e6)),
    "rotated": stack("uint16", 1e-4, 0, NAMES, transform=Affine(8, 6, 5e5, 6, -8, 3.5e6)),
    "degrees": stack("uint16", 1e-4, 0, NAMES, crs="EPSG:4326", transform=from_origin(116, 32, 1e-4, 1e-4)),
}  # fmt: skip


def the(scenes: list[Scene]) -> Scene:
    assert len(scenes) == 1
    return scenes[0]


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_gives_the_reflectance_that_it_was_made_of(name: str, tmp_path: Path) -> None:
    scene = the(open_scenes(PRODUCTS[name](tmp_path)))
    assert scene.calibrated
    assert scene.acquired_at is not None
    assert scene.acquired_at.date().isoformat() == "2024-05-12"
    for band in [n for n in NAMES if n in scene.bands]:
        read, said = scene.read(band, WHOLE), TRUTH[band]
        if scene.grid.pixel_m < 15 and ("SAFE" in name) and band.startswith("swir"):
            said = np.repeat(np.repeat(said.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3)), 2, 0), 2, 1)
            assert np.abs(read - said).mean() < 0.02
        else:
            np.testing.assert_allclose(read, said, atol=2e-3, err_msg=band)
    assert {"green", "red", "nir"} <= set(scene.bands)


def counts(name: str, bits: int, folder: Path) -> Path:
    planes = [np.round(TRUTH[n] / 0.6 * 2**bits).clip(1, 2**bits - 1) for n in FOUR]
    return write(folder / name, planes, "uint16")


@pytest.mark.parametrize(
    ("name", "bits", "bands"),
    [
        ("GF1_PMS1_E116.5_N39.4_20240512_L1A0001234.tif", 10, {"blue": 1, "green": 2, "red": 3, "nir": 4}),
        ("GF2_PMS2_E116.5_N39.4_20240512_ORTHO.tiff", 10, {"blue": 1, "green": 2, "red": 3, "nir": 4}),
        ("GF6_PMS_E116.5_N39.4_20240512_L1A.img", 12, {"blue": 1, "green": 2, "red": 3, "nir": 4}),
        ("ZY3_MUX_E116.5_N39.4_20240512_L1A.tif", 10, {"blue": 1, "green": 2, "red": 3, "nir": 4}),
    ],
)
def test_chinese_satellites_are_counts_until_calibrated(
    name: str, bits: int, bands: dict[str, int], tmp_path: Path
) -> None:
    scene = the(open_scenes(counts(name, bits, tmp_path)))
    assert {n: b.index for n, b in scene.bands.items()} == bands
    assert not scene.calibrated
    assert scene.acquired_at is not None
    calibrated = the(
        open_scenes(
            stack("uint16", 1e-4, 0, (), FOUR)(tmp_path / "c").rename(tmp_path / "GF1_PMS1_20240512_SR.tif")
        )
    )
    assert calibrated.calibrated


def test_the_eight_bands_of_gf6(tmp_path: Path) -> None:
    planes = [np.round(TRUTH[n] * 2000) for n in (*FOUR, "nir", "nir", "blue", "green")]
    scene = the(open_scenes(write(tmp_path / "GF6_WFV_E116.5_N39.4_20240512_L1A.tif", planes)))
    assert {n: scene.bands[n].index for n in FOUR} == dict(zip(FOUR, (1, 2, 3, 4), strict=True))
    with pytest.raises(SceneError, match="--bands"):
        open_scenes(write(tmp_path / "x.tif", planes))


@pytest.mark.parametrize(
    ("kind", "hole"), [("uint16", 0), ("uint16", 65535), ("int16", -9999), ("float32", -9999)]
)
def test_a_number_that_stands_for_no_data_is_recognised(kind: str, hole: float, tmp_path: Path) -> None:
    planes = [np.round(TRUTH[n] * 1e4) for n in FOUR]
    for plane in planes:
        plane[:30, :50] = hole
    scene = the(open_scenes(write(tmp_path / "a.tif", planes, kind, ("B02", "B03", "B04", "B08"))))
    nir = scene.read("nir", WHOLE)
    assert np.isnan(nir[:30, :50]).all()
    assert np.isfinite(nir).sum() == SIDE * SIDE - 1500
    np.testing.assert_allclose(nir[30:], TRUTH["nir"][30:], atol=1e-4)


def test_water_that_reads_nothing_in_one_band_is_no_hole(tmp_path: Path) -> None:
    planes = [np.round(TRUTH[n] * 1e4) for n in FOUR]
    planes[3][:30, :50] = 0
    scene = the(open_scenes(write(tmp_path / "a.tif", planes, "uint16", ("B02", "B03", "B04", "B08"))))
    assert (scene.read("nir", WHOLE)[:30, :50] == 0).all()


def test_several_dates_of_one_file_a_band_in_one_folder(tmp_path: Path) -> None:
    hls("S30", tmp_path)
    for file in list(tmp_path.iterdir()):
        shutil.copy(file, tmp_path / file.name.replace("2024133", "2024149"))
    scenes = open_scenes(tmp_path)
    assert [s.acquired_at.date().isoformat() for s in scenes if s.acquired_at] == ["2024-05-12", "2024-05-28"]
    assert all(len({b.file.split(".v2")[0] for b in s.bands.values()}) == 1 for s in scenes)


def test_an_absurd_scale_is_not_used_and_said(tmp_path: Path) -> None:
    path = stack("uint16", 1e-4, 0, NAMES)(tmp_path)
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (1e12,) * 6, (float("inf"),) * 6
    scene = the(open_scenes(path))
    np.testing.assert_allclose(scene.read("nir", WHOLE), TRUTH["nir"], atol=1e-3)
    assert "1e+12" in scene.properties["shuitu:scale"]


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


BAD: dict[str, tuple[Make, str]] = {
    "cut short": (lambda f: cut(stack("uint16", 1e-4, 0, NAMES)(f)), "不完整|无法读取"),
    "cut zip": (lambda f: cut(zipped(lambda g: safe("2A", g))(f)), "压缩包不完整"),
    "cut item": (lambda f: cut(planetary(f)), "STAC"),
    "two bands": (lambda f: write(f / "a.tif", [dn("red"), dn("nir")], descriptions=("red", "nir")), "缺少波段 green"),
    "no bands in a product": (lambda f: _emptied(safe("2A", f)), "没有可识别的波段"),
    "no CRS": (lambda f: write(f / "a.tif", [dn(n) for n in FOUR], crs=None), "没有坐标系"),
    "text": (lambda f: _text(f / "a.tif"), "无法读取"),
    "nothing": (lambda f: f / "absent.tif", "没有"),
    "an empty folder": (lambda f: f, "不是可识别的影像"),
}  # fmt: skip


def _emptied(root: Path) -> Path:
    shutil.rmtree(root / "GRANULE")
    return root


def _text(path: Path) -> Path:
    path.write_text("no raster")
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_in_words(name: str, tmp_path: Path) -> None:
    make, said = BAD[name]
    with pytest.raises(SceneError, match=said):
        for scene in open_scenes(make(tmp_path)):
            for band in scene.bands:
                scene.read(band, WHOLE)


@pytest.mark.parametrize(
    "name", ["SAFE 2A, zip", "Landsat 9, tar", "STAC, Planetary Computer", "south-up", "HLS L30"]
)
def test_the_command_line_judges_any_product_alike(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "product"
    folder.mkdir()
    path = PRODUCTS[name](folder)
    scene = the(open_scenes(path))
    plain = the(open_scenes(PRODUCTS["float, 0–1, NaN"](tmp_path / "plain")))
    water = evaluate.mask_by_us(plain, "water_body")
    assert water.sum() > 50
    grid = scene.grid
    with rasterio.open(
        tmp_path / "label.tif", "w", driver="GTiff", count=1, height=SIDE, width=SIDE, dtype="uint8", crs=grid.crs,
        transform=grid.transform,
    ) as target:  # fmt: skip
        target.write(water.astype(np.uint8), 1)
    out = tmp_path / "out.json"
    # The reservoir is some 20 pixels wide, and the short wave of Sentinel-2 half as fine.
    said = CliRunner().invoke(
        app, ["evaluate", "water", str(path), str(tmp_path / "label.tif"), "--json", str(out)]
    )
    assert said.exit_code == 0, said.output
    assert json.loads(out.read_text())["iou"] > (0.5 if "SAFE" in name else 0.9)
