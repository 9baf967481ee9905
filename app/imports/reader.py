"""Files as chunks of rows: every value a text, geometries apart. Memory is bounded by the chunk."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import python_calamine
import shapely
from charset_normalizer import from_bytes
from pyproj import CRS, Transformer

from app.errors import UnreadableFile
from app.imports.mapping import Mapping
from app.imports.raw import EXCESS, RawChunk

CHUNK_ROWS = 25_000
SAMPLE = 256 * 1024
TITLES = 5
"""So many rows above the headings of a sheet may be titles, which fill one cell."""
VECTOR = {".gpkg", ".geojson", ".json", ".shp", ".gml", ".fgb", ".kml"}
WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
STORED = CRS.from_epsg(4490)
# Without agreed parameters these datums cannot be brought to CGCS2000 "close enough" (domain §7).
OLD_DATUMS = {"Xian 1980", "Beijing 1954", "New Beijing"}


def chunks(path: Path, mapping: Mapping, skip_rows: int = 0) -> Iterator[RawChunk]:
    """The file's rows after the first `skip_rows`.

    Raises UnreadableFile, in words, if it is not what its name says.
    """
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    with _told(path):
        if suffix in (".csv", ".txt", ".tsv", ".csv.gz", ".txt.gz", ".tsv.gz"):
            yield from _csv(path, mapping, skip_rows)
        elif suffix in WORKBOOKS:
            yield from _workbook(path, mapping, skip_rows)
        elif suffix in (".parquet", ".geoparquet"):
            yield from _parquet(path, skip_rows)
        elif suffix in VECTOR or suffix == ".zip":
            yield from _vector(path, mapping, skip_rows)
        else:
            raise UnreadableFile(
                f"不支持 {path.name} 的格式 (this format is not supported); "
                "CSV, XLSX, GeoPackage, Shapefile (.shp/.zip), GeoJSON, GeoParquet",
                file=path.name,
                value=suffix,
            )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the libraries raise, as one sentence about the file."""
    try:
        yield
    except UnreadableFile:
        raise
    except FileNotFoundError:
        raise UnreadableFile(f"没有文件 {path} (there is no such file)", file=str(path)) from None
    except (
        OSError,
        ValueError,
        KeyError,
        csv.Error,
        zipfile.BadZipFile,
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        python_calamine.CalamineError,
    ) as error:
        raise UnreadableFile(
            f"无法读取 {path.name} (cannot be read): {_first_line(error)}", file=path.name
        ) from error


def tables(path: Path) -> list[str]:
    """The sheets of a workbook, the layers of a GeoPackage or an archive; of other files nothing. Raises UnreadableFile."""
    suffix = path.suffix.lower()
    with _told(path):
        if suffix in WORKBOOKS:
            return list(python_calamine.CalamineWorkbook.from_path(str(path)).sheet_names)
        if suffix in (".gpkg", ".zip", ".kml", ".gml"):
            return [str(layer) for layer, _ in pyogrio.list_layers(_source(path))]
    return []


def count_rows(path: Path, mapping: Mapping) -> int | None:
    """How many rows the file has, where that is cheap to say."""
    suffix = path.suffix.lower()
    with _told(path):
        if suffix in (".gpkg", ".shp", ".fgb"):
            return int(pyogrio.read_info(path, layer=_layer(path, mapping))["features"])
        if suffix in (".parquet", ".geoparquet"):
            return int(pq.ParquetFile(path).metadata.num_rows)
        if suffix in (".csv", ".txt", ".tsv"):
            with path.open("rb") as file:
                return max(0, sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b"")) - 1)
    return None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


# ── text ────────────────────────────────────────────────────────────────────────────────────────────


def _csv(path: Path, mapping: Mapping, skip_rows: int) -> Iterator[RawChunk]:
    with _opened(path) as binary:
        sample = binary.read(SAMPLE)
    if not sample.strip():
        raise UnreadableFile(f"{path.name} 是空文件 (is empty)", file=path.name)
    encoding = mapping.encoding or _encoding(sample)
    delimiter = _delimiter(sample.decode(encoding, "replace"))
    with _opened(path) as binary:
        reader = csv.reader(
            io.TextIOWrapper(binary, encoding, errors=mapping.undecodable, newline=""), delimiter=delimiter
        )
        try:
            heading = [name.strip().lstrip("\ufeff") for name in next(reader)]
            for _ in range(skip_rows):
                next(reader, None)
            yield from _in_chunks(_rows(reader, len(heading)), heading, skip_rows)
        except UnicodeDecodeError:
            raise UnreadableFile(
                f"{path.name} 不是 {encoding} 编码（第 {reader.line_num} 行附近）；请在映射中指明 encoding "
                f"(is not {encoding} near line {reader.line_num}: name its encoding in the mapping)",
                file=path.name,
            ) from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        yield file


def _encoding(sample: bytes) -> str:
    """UTF-8 if it is, else GB18030 if it is, else the best guess."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            # The sample may end inside a character.
            sample[: len(sample) - 4 if len(sample) == SAMPLE else None].decode(encoding)
        except UnicodeDecodeError as error:
            if encoding == "utf-8-sig" and len(sample) == SAMPLE and int(error.start) > SAMPLE - 8:
                return encoding
            continue
        return encoding
    best = from_bytes(sample).best()
    return best.encoding if best else "latin-1"


def _delimiter(text: str) -> str:
    first = text.splitlines()[0] if text.splitlines() else ""
    return max(",\t;|", key=first.count) if any(first.count(c) for c in ",\t;|") else ","


def _rows(reader: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for row in reader:
        if not row:
            continue
        if len(row) < width:
            row += [""] * (width - len(row))
        yield [*row[:width], json.dumps(row[width:], ensure_ascii=False) if len(row) > width else ""]


def _in_chunks(rows: Iterator[list[str]], heading: list[str], skip_rows: int) -> Iterator[RawChunk]:
    names = [*_unique(heading), EXCESS]
    batch: list[list[str]] = []
    first = skip_rows + 1
    for row in rows:
        batch.append(row)
        if len(batch) == CHUNK_ROWS:
            yield RawChunk(first, pd.DataFrame(batch, columns=names, dtype=object))
            first += len(batch)
            batch = []
    if batch:
        yield RawChunk(first, pd.DataFrame(batch, columns=names, dtype=object))


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return found


def _workbook(path: Path, mapping: Mapping, skip_rows: int) -> Iterator[RawChunk]:
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    if mapping.layer and mapping.layer not in book.sheet_names:
        raise UnreadableFile(
            f"{path.name} 没有工作表 {mapping.layer} (has no such sheet): {', '.join(book.sheet_names)}",
            file=path.name,
        )
    sheet = book.get_sheet_by_name(mapping.layer) if mapping.layer else book.get_sheet_by_index(0)
    rows = ([_text(value) for value in row] for row in sheet.iter_rows())
    filled = (row for row in rows if any(row))
    top = list(islice(filled, TITLES + 1))
    if not top:
        raise UnreadableFile(f"{path.name} 的第一个工作表是空的 (the sheet is empty)", file=path.name)
    at = next((k for k, row in enumerate(top) if sum(map(bool, row)) > 1), 0)
    heading, kept = top[at], chain(top[at + 1 :], filled)
    for _ in range(skip_rows):
        next(kept, None)
    yield from _in_chunks(_rows(kept, len(heading)), [name.strip() for name in heading], skip_rows)


def _text(value: Any) -> str:
    """A cell or attribute as the text that a person would have typed."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        plain = float(value)
        return str(int(plain)) if plain.is_integer() and abs(plain) < 1e15 else repr(plain)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | np.ndarray):
        return ";".join(_text(item) for item in value)
    return "" if value is pd.NaT else str(value)


# ── vectors ──────────────────────────────────────────────────────────────────────────────────────────


def _layer(path: str | Path, mapping: Mapping) -> str | int:
    name = Path(path).name
    layers = [str(layer) for layer, _ in pyogrio.list_layers(path)]
    if not layers:
        raise UnreadableFile(f"{name} 中没有图层 (holds no layer)", file=name)
    if mapping.layer and mapping.layer not in layers:
        raise UnreadableFile(
            f"{name} 没有图层 {mapping.layer} (has no such layer): {', '.join(layers)}", file=name
        )
    return mapping.layer or layers[0]


def _source(path: Path) -> str:
    """The file as GDAL names it. Text, not a Path: it needs both slashes of /vsizip//absolute."""
    return f"/vsizip/{path.absolute()}" if path.suffix.lower() == ".zip" else str(path)


def _vector(path: Path, mapping: Mapping, skip_rows: int) -> Iterator[RawChunk]:
    source = _source(path)
    layer = _layer(source, mapping)
    encoding = mapping.encoding or _dbf_encoding(path)
    info = pyogrio.read_info(source, layer=layer, encoding=encoding)
    total = int(info["features"])
    for start in range(skip_rows, total, CHUNK_ROWS):
        frame = pyogrio.read_dataframe(
            source,
            layer=layer,
            skip_features=start,
            max_features=CHUNK_ROWS,
            encoding=encoding,
            fid_as_index=False,
            use_arrow=False,
        )
        yield _spatial_chunk(frame, start + 1, info.get("crs"), path.name)


def _dbf_encoding(path: Path) -> str | None:
    """A Shapefile without .cpg is GBK in this trade, unless its texts are UTF-8."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as packed:
            names = {Path(name).suffix.lower(): name for name in packed.namelist()}
            if ".cpg" in names or ".dbf" not in names:
                return None
            with packed.open(names[".dbf"]) as file:
                sample = _texts_of_dbf(file)
    elif path.suffix.lower() == ".shp" and (dbf := path.with_suffix(".dbf")).exists():
        if path.with_suffix(".cpg").exists():
            return None
        with dbf.open("rb") as file:
            sample = _texts_of_dbf(file)
    else:
        return None
    return "UTF-8" if _encoding(sample) == "utf-8-sig" else "GB18030"


def _texts_of_dbf(file: IO[bytes]) -> bytes:
    """The beginning of the records, behind the header, which says its own size."""
    size = int.from_bytes(file.read(10)[8:10], "little")
    file.seek(size)
    return file.read(SAMPLE)


def _parquet(path: Path, skip_rows: int) -> Iterator[RawChunk]:
    file = pq.ParquetFile(path)
    geo = json.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("primary_column")
    crs = geo["columns"][column].get("crs", "OGC:CRS84") if column else None
    first = 1
    for batch in file.iter_batches(batch_size=CHUNK_ROWS):
        frame = batch.to_pandas()
        if first + len(frame) - 1 > skip_rows:
            cut = max(0, skip_rows - first + 1)
            part = frame.iloc[cut:]
            if column:
                part = part.assign(geometry=shapely.from_wkb(part[column].to_numpy())).drop(
                    columns=[column] if column != "geometry" else []
                )
            yield _spatial_chunk(part, first + cut, crs, path.name)
        first += len(frame)


def _spatial_chunk(frame: Any, first_row: int, crs: Any, name: str) -> RawChunk:
    geometry = None
    if "geometry" in frame.columns:
        geometry = _to_stored(np.asarray(frame["geometry"].to_numpy(), dtype=object), crs, name)
        frame = pd.DataFrame(frame.drop(columns="geometry"))
    texts = pd.DataFrame({str(c): [_text(v) for v in frame[c].tolist()] for c in frame.columns}, dtype=object)
    texts[EXCESS] = ""
    return RawChunk(first_row, texts, geometry)


def _to_stored(geometry: npt.NDArray[Any], crs: Any, name: str) -> npt.NDArray[Any]:
    """Geometries in EPSG:4490, longitude first. WGS 84 is taken as CGCS2000: they differ by decimetres."""
    if crs is None:
        raise UnreadableFile(f"{name} 未声明坐标系 (declares no coordinate reference system)", file=name)
    source = CRS.from_user_input(crs)
    if any(old in (source.datum.name if source.datum else "") for old in OLD_DATUMS):
        raise UnreadableFile(
            f"{name} 的坐标系为 {source.name}，需先用当地参数转换到 CGCS2000 (convert it to CGCS2000 with local parameters first)",
            file=name,
            value=source.name,
            expected="CGCS2000 / EPSG:4490",
        )
    if source.to_epsg() in (4490, 4326) or source.to_authority() == ("OGC", "CRS84"):
        return geometry
    transformer = Transformer.from_crs(source, STORED, always_xy=True)
    converted: npt.NDArray[Any] = shapely.transform(
        geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    )
    return converted
