"""Products as agencies hand them out: Sentinel-2 SAFE, Landsat Collection 2, one file a band; unpacked or archived."""

import json
import math
import re
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import rasterio

from remote_sensing import coding, naming
from remote_sensing.naming import LANDSAT, QUALITY, SENTINEL2
from remote_sensing.scene import Band, Scene, SceneError, date_in, readable, scene_of, utc

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")
RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".dat")
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands of Sentinel-2 by the number that its metadata give them."""
NO_BAND = re.compile(
    r"label|mask|preview|quicklook|browse|thumb|[_.](TCI|PVI|AOT|WVP|ST|SAA|SZA|VAA|VZA)[_.]", re.I
)
"""Rasters beside the bands that are none."""
OF_SAFE = re.compile(r"_(B\d[0-9A]|SCL)(?:_\d0m)?\.(?:jp2|tiff?)$")
OF_LANDSAT = re.compile(r"_B([1-7])\.tiff?$", re.I)


@dataclass(frozen=True)
class Files:
    """The files of a folder or an archive: how each is named in it, and what GDAL opens."""

    path: Path
    members: Mapping[str, str]
    archive: Path | None = None

    def below(self, folder: str) -> "Files":
        """The files in one of its folders."""
        if folder in ("", "."):
            return self
        head = folder + "/"
        kept = {name.removeprefix(head): file for name, file in self.members.items() if name.startswith(head)}
        return Files(self.path / folder, kept, self.archive)

    def named(self, pattern: str) -> list[str]:
        """Names that a pattern fits, in order."""
        return sorted(name for name in self.members if re.search(pattern, name, re.I))

    def text(self, name: str) -> str:
        """A text file of it."""
        file = self.members[name]
        if self.archive is None:
            return Path(file).read_text("utf-8", "replace")
        inner = file.split(f"{self.archive}/", 1)[1]
        with _open(self.archive) as opened:
            if isinstance(opened, zipfile.ZipFile):
                return opened.read(inner).decode("utf-8", "replace")
            member = opened.extractfile(inner)
            return member.read().decode("utf-8", "replace") if member else ""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith(ARCHIVES)


def _open(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    return zipfile.ZipFile(path) if path.suffix.lower() == ".zip" else tarfile.open(path)


def files_of(path: Path, deep: bool = True) -> Files:
    """What a folder or an archive holds. Raises SceneError if the archive cannot be read."""
    if not is_archive(path):
        every = path.rglob("*") if deep else path.iterdir()
        return Files(path, {f.relative_to(path).as_posix(): str(f) for f in sorted(every) if f.is_file()})
    scheme = "vsizip" if path.suffix.lower() == ".zip" else "vsitar"
    try:
        with _open(path) as opened:
            names = opened.namelist() if isinstance(opened, zipfile.ZipFile) else opened.getnames()
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise SceneError(f"压缩包不完整或已损坏 {path.name} (truncated or damaged): {error}") from None
    whole = path.resolve()
    return Files(path, {n.removeprefix("./"): f"/{scheme}/{whole}/{n}" for n in sorted(names)}, whole)


SAFE, MTL = r"(^|/)MTD_MSIL(1C|2A)\.xml$", r"_MTL\.(txt|json|xml)$"


def products(files: Files) -> Iterator[Scene]:
    """The Sentinel-2 and Landsat products in a folder or archive, by their metadata."""
    for name in files.named(SAFE):
        yield safe(files.below(str(PurePosixPath(name).parent)), PurePosixPath(name).name)
    done: set[str] = set()
    # The text comes first where a product brings its metadata in several forms.
    for name in sorted(files.named(MTL), key=lambda n: (not n.endswith(".txt"), n)):
        folder, stem = str(PurePosixPath(name).parent), name.rsplit("_MTL", 1)[0]
        if stem not in done:
            done.add(stem)
            yield landsat(files.below(folder), PurePosixPath(name).name)


def safe(files: Files, metadata: str) -> Scene:
    """A Sentinel-2 product, level 1C or 2A. `files`: those of the SAFE folder."""
    try:
        root = ET.fromstring(files.text(metadata).encode())  # noqa: S314 - a product that the operator chose to open
    except ET.ParseError as error:
        raise SceneError(
            f"{files.path.name}/{metadata} 不是完整的 XML (is no complete XML): {error}"
        ) from None

    def text(tag: str, default: str = "") -> str:
        node = root.find(f".//{tag}")
        return node.text or default if node is not None else default

    quantification = float(
        text("BOA_QUANTIFICATION_VALUE") or text("QUANTIFICATION_VALUE") or coding.DN_PER_REFLECTANCE
    )
    offsets = {
        int(node.get("band_id", "-1")): float(node.text or 0)
        for node in [*root.iter("BOA_ADD_OFFSET"), *root.iter("RADIO_ADD_OFFSET")]
    }
    bands: dict[str, Band] = {}
    for name in files.named(r"IMG_DATA/"):  # R10m sorts before R20m: the finest comes first
        match = OF_SAFE.search(name)
        common = "scl" if match and match[1] == "SCL" else SENTINEL2.get(match[1], "") if match else ""
        if not match or not common or common in bands:
            continue
        if common == "scl":
            bands[common] = Band(files.members[name], 1)
        else:
            offset = offsets.get(BAND_IDS.index(match[1]), 0.0) / quantification
            bands[common] = Band(files.members[name], 1, 1 / quantification, offset, 0)
    when, cloud = text("PRODUCT_START_TIME"), text("Cloud_Coverage_Assessment")
    item_id = files.path.name.removesuffix(".SAFE")
    if item_id.startswith("MTD") or not date_in(item_id):
        item_id = text("PRODUCT_URI").removesuffix(".SAFE") or item_id
    return scene_of(
        item_id, item_id, text("SPACECRAFT_NAME", "Sentinel-2"), utc(when) if when else date_in(item_id),
        files.path / metadata, bands, properties={"eo:cloud_cover": float(cloud)} if cloud else {},
    )  # fmt: skip


def landsat(files: Files, metadata: str) -> Scene:
    """A Landsat product of Collection 1 or 2, level 1 or 2. `files`: those of its folder."""
    facts = _facts(files.text(metadata), metadata)
    stem = re.split(r"_MTL", metadata)[0]
    number = facts.get("SPACECRAFT_ID", "LANDSAT_8")[-1]
    names = LANDSAT["8" if number in "89" else "5"]
    # Reflectance at the top of the atmosphere is that of a sun overhead until it is divided by the sun's height.
    sun = math.sin(math.radians(float(facts.get("SUN_ELEVATION") or 90)))
    bands: dict[str, Band] = {}
    for name in files.named(OF_LANDSAT.pattern):
        digit = OF_LANDSAT.search(name)[1]  # type: ignore[index]
        if digit not in names or not PurePosixPath(name).name.startswith(stem[:25]):
            continue
        if "_SR_" in name:
            scale, offset = coding.LANDSAT_SURFACE
        else:
            scale = float(facts.get(f"REFLECTANCE_MULT_BAND_{digit}", coding.LANDSAT_TOP[0])) / sun
            offset = float(facts.get(f"REFLECTANCE_ADD_BAND_{digit}", coding.LANDSAT_TOP[1])) / sun
        bands[names[digit]] = Band(files.members[name], 1, scale, offset, 0)
    if bits := files.named(r"_QA_PIXEL\.tiff?$"):
        bands["qa_pixel"] = Band(files.members[bits[0]], 1)
    day, clock = facts.get("DATE_ACQUIRED"), facts.get("SCENE_CENTER_TIME", "00:00:00")
    return scene_of(
        stem, stem, facts.get("SPACECRAFT_ID", "Landsat").replace("_", " ").title(),
        utc(f"{day}T{clock[:8]}Z") if day else date_in(stem), files.path / metadata, bands,
        properties={"eo:cloud_cover": float(facts["CLOUD_COVER"])} if "CLOUD_COVER" in facts else {},
    )  # fmt: skip


def _facts(text: str, name: str) -> dict[str, str]:
    """Metadata of Landsat as names and values, whatever form they come in."""
    try:
        if name.endswith(".json"):
            return dict(_flat(json.loads(text)))
        if name.endswith(".xml"):
            return {node.tag: (node.text or "").strip() for node in ET.fromstring(text.encode()).iter()}  # noqa: S314
    except (ValueError, ET.ParseError) as error:
        raise SceneError(f"{name} 不完整 (is not complete): {error}") from None
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def _flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield key, str(value)


def of_files(files: Files, chosen: Mapping[str, str]) -> list[Scene]:
    """The scenes of a folder in which each band has a file of its own, as far as names say which.

    Sentinel-2 (B03, …), Landsat (SR_B3, …), HLS (B05 of L30 is infrared), or plain words (green, 绿). Several
    dates may lie in one folder if their names differ in more than the band.
    """
    single = {
        n: f
        for n, f in files.members.items()
        if n.lower().endswith(RASTERS) and not NO_BAND.search(n) and _count(f) == 1
    }
    groups: dict[str, dict[str, str]] = {}
    for name, file in single.items():
        rest = " ".join(t for t in _tokens(name) if not BAND_TOKEN.search(t) and not naming.word(t))
        groups.setdefault(rest, {})[name] = file
    several = {rest: group for rest, group in groups.items() if len(group) >= 3}
    if len(several) < 2:
        several = {files.path.name: single}
    made = [_of_group(files.path, rest.replace(" ", "_"), group, chosen) for rest, group in several.items()]
    return [scene for scene in made if scene]


BAND_TOKEN = re.compile(r"^(?:sr|toa|boa|B\d{1,2}A?|\d0m|scl|fmask|qa|pixel)$", re.I)
"""Parts of a file's name that say its band, its level or its pixel."""


def _tokens(name: str) -> list[str]:
    return re.split(r"[_.\-\s/]+", PurePosixPath(name).stem)


def _of_group(path: Path, called: str, single: Mapping[str, str], chosen: Mapping[str, str]) -> Scene | None:
    names = sorted(single)
    words = [" ".join(_tokens(name)) for name in names]
    said = naming.names_of_files(words, hints=" ".join([path.name, *names]))
    bands_at = {name: single[names[index - 1]] for name, index in said.bands.items()}
    for name, which in chosen.items():
        if fit := [
            n for n in names if PurePosixPath(n).name == which or PurePosixPath(n).stem.endswith(which)
        ]:
            bands_at[name] = single[fit[0]]
    quality = {name: bands_at.pop(name) for name in set(QUALITY.values()) if name in bands_at}
    if len(bands_at) < 3:
        return None
    first = next(iter(bands_at.values()))
    with readable(first), rasterio.open(first) as source:
        kind, tags = source.dtypes[0], source.tags()
    how = coding.coding_of(
        [(file, 1) for file in bands_at.values()], f"{path.name} {PurePosixPath(first).name}", kind, tags, said.sensor, words
    )  # fmt: skip
    bands = {name: coding.band(file, 1, how) for name, file in bands_at.items()}
    bands |= {name: Band(file, 1) for name, file in quality.items()}
    when = date_in(called) or next((d for n in [path.name, *names] if (d := date_in(n))), None)
    return scene_of(
        called, called, said.sensor, when, path / "item", bands,
        calibrated=how.calibrated, properties=dict(how.said),
    )  # fmt: skip


def _count(file: str) -> int:
    try:
        with rasterio.open(file) as source:
            return int(source.count)
    except rasterio.RasterioIOError:
        # A damaged file is met again where its band is read, and named there.
        return 1
