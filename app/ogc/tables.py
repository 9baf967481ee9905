"""Features as tables: CSV, FlatGeobuf and GeoParquet, made block by block from rows as PostgreSQL copies them out.

The database sends rows as CSV, which is forwarded or parsed by Arrow; no feature becomes a Python object.
In FlatGeobuf and GeoParquet coordinates stand in the order x, y, as their specifications want; in CSV points
have a column for each, and other geometries are WKT in the axis order of the CRS.
"""

import csv
import io
import json
import struct
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pyogrio
import pyproj

from app.ogc.asking import ItemsQuery
from app.ogc.forms import geometry_in
from app.ogc.negotiate import CSV, FLATGEOBUF, GEOPARQUET
from layers.crs import CRS84, EPSG, Crs
from layers.derive.columns import quote
from layers.model import Audience, Field, FieldType, Layer

ARROW: dict[FieldType, pa.DataType] = {
    "string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}  # fmt: skip
SHAPES = {"point": "Point", "line": "MultiLineString", "polygon": "MultiPolygon"}
BOM = "\ufeff".encode()
"""Spreadsheets take UTF-8 for what it is only if it begins so; GDAL, pandas and DuckDB skip it."""


class Encoder(Protocol):
    """Makes a file of blocks of CSV rows."""

    def head(self) -> bytes: ...
    def block(self, rows: bytes) -> bytes: ...
    def tail(self) -> bytes: ...


def encoder(media: str, layer: Layer, audience: Audience, query: ItemsQuery) -> Encoder:
    """The encoder of this media type."""
    return ENCODERS[media](layer, shown(layer, audience, query), query)


def select(media: str, layer: Layer, audience: Audience, query: ItemsQuery) -> str:
    """The columns of the view v that a table of this media type has, as SQL that is read well as CSV."""
    fields = [_readable(field) for field in shown(layer, audience, query)]
    return ", ".join([f"v.{quote(layer.source.id)}", *fields, *_geometry(media, layer, query)])


def shown(layer: Layer, audience: Audience, query: ItemsQuery) -> tuple[Field, ...]:
    return layer.fields_for(audience) if query.fields is None else query.fields


def _readable(field: Field) -> str:
    name = f"v.{quote(field.name)}"
    if field.type == "boolean":
        return f"{name}::text"
    if field.type == "datetime":
        return f"to_json({name}) #>> '{{}}'"
    return name


def _geometry(media: str, layer: Layer, query: ItemsQuery) -> list[str]:
    geometry = f"v.{quote(layer.source.geometry)}"
    if not query.geometry:
        return []
    if media != CSV:
        shape = geometry if layer.source.kind == "point" else f"st_multi({geometry})"
        return [f"encode(st_asbinary({geometry_in(shape, query.crs, as_given=False)}), 'hex')"]
    decimals = 7 if query.crs.geographic else 3
    if layer.source.kind == "point":
        flat = geometry_in(geometry, query.crs, as_given=False)
        return [f"round(st_{axis}({flat})::numeric, {decimals})" for axis in "xy"]
    return [f"st_astext({geometry_in(geometry, query.crs)}, {decimals})"]


class CsvEncoder:
    """RFC 4180 with a header line."""

    def __init__(self, layer: Layer, fields: tuple[Field, ...], query: ItemsQuery) -> None:
        self._names = [layer.source.id, *(field.name for field in fields)]
        if query.geometry and layer.source.kind == "point":
            self._names += ["longitude", "latitude"] if query.crs.geographic else ["easting", "northing"]
        elif query.geometry:
            self._names.append("geometry")

    def head(self) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(self._names)
        return BOM + text.getvalue().encode()

    def block(self, rows: bytes) -> bytes:
        return rows

    def tail(self) -> bytes:
        return b""


class _ArrowEncoder:
    """Reads the rows as Arrow tables."""

    def __init__(self, layer: Layer, fields: tuple[Field, ...], query: ItemsQuery) -> None:
        self.layer, self.query = layer, query
        self._read = {layer.source.id: pa.int64(), **{field.name: ARROW[field.type] for field in fields}}
        if query.geometry:
            self._read["geometry"] = pa.string()
        self.schema = pa.schema(
            [
                pa.field(name, pa.binary() if name == "geometry" else kind, nullable=name != layer.source.id)
                for name, kind in self._read.items()
            ]
        )

    def table(self, rows: bytes) -> pa.Table:
        if not rows:
            return self.schema.empty_table()
        found = pyarrow.csv.read_csv(
            io.BytesIO(rows),
            read_options=pyarrow.csv.ReadOptions(
                column_names=list(self._read), block_size=max(len(rows), 1) + 1
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=self._read,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        if self.query.geometry:
            column = found.column("geometry").combine_chunks()
            found = found.set_column(found.num_columns - 1, "geometry", _unhexed(column))
        return found.cast(self.schema)


def _unhexed(column: pa.StringArray) -> pa.BinaryArray:
    """WKB out of its hexadecimal text, all at once: two digits are a byte, so offsets halve."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    if column.offset:
        column = pa.concat_arrays([column])
    validity, offsets, data = column.buffers()
    starts = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, offsets])
    halves = pa.compute.cast(pa.compute.divide(starts, 2), pa.int32())
    digits = bytes(data)[: starts[-1].as_py()] if data is not None else b""
    return pa.Array.from_buffers(
        pa.binary(),
        len(column),
        [validity, halves.buffers()[1], pa.py_buffer(bytes.fromhex(digits.decode()))],
        column.null_count,
    )


class FlatGeobufEncoder(_ArrowEncoder):
    """FlatGeobuf without an index. GDAL writes each block as a file; behind the first header the features of all
    follow one another, which is what the format is."""

    def __init__(self, layer: Layer, fields: tuple[Field, ...], query: ItemsQuery) -> None:
        super().__init__(layer, fields, query)
        self._begun = False

    def head(self) -> bytes:
        return b""

    def block(self, rows: bytes) -> bytes:
        sink = io.BytesIO()
        table = self.table(rows)
        with_geometry = self.query.geometry
        pyogrio.write_arrow(
            table,
            sink,
            layer=self.layer.id,
            driver="FlatGeobuf",
            geometry_name="geometry" if with_geometry else None,
            geometry_type=SHAPES[self.layer.source.kind] if with_geometry else "Unknown",
            crs=_authority(self.query.crs),
            SPATIAL_INDEX="NO",
        )
        made = sink.getvalue()
        end = 12 + struct.unpack_from("<I", made, 8)[0]
        if self._begun:
            return made[end:]
        self._begun = True
        return _unbounded(made[:end]) + made[end:]

    def tail(self) -> bytes:
        return b"" if self._begun else self.block(b"")


def _unbounded(head: bytes) -> bytes:
    """A FlatGeobuf header that tells neither extent nor count, for both are of the first block only.

    The header is a FlatBuffers table (after 8 bytes of magic and 4 of its size); its first fields are name and
    envelope, the ninth is the count. A field whose offset is 0 is absent.
    """
    made = bytearray(head)
    table = 12 + struct.unpack_from("<I", made, 12)[0]
    offsets = table - struct.unpack_from("<i", made, table)[0] + 4
    struct.pack_into("<H", made, offsets + 2 * 1, 0)
    count = struct.unpack_from("<H", made, offsets + 2 * 8)[0]
    if count:
        struct.pack_into("<Q", made, table + count, 0)
    return bytes(made)


class GeoParquetEncoder(_ArrowEncoder):
    """GeoParquet 1.1, a row group a block."""

    def __init__(self, layer: Layer, fields: tuple[Field, ...], query: ItemsQuery) -> None:
        super().__init__(layer, fields, query)
        self._sink = _Sink()
        schema = self.schema
        if query.geometry:
            schema = schema.with_metadata({"geo": json.dumps(_geo(layer, query))})
        self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")

    def head(self) -> bytes:
        return self._sink.drained()

    def block(self, rows: bytes) -> bytes:
        self._writer.write_table(self.table(rows))
        return self._sink.drained()

    def tail(self) -> bytes:
        self._writer.close()
        return self._sink.drained()


class _Sink(io.RawIOBase):
    """Takes what the writer writes until it is fetched."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def drained(self) -> bytes:
        made = b"".join(self._parts)
        self._parts.clear()
        return made


def _geo(layer: Layer, query: ItemsQuery) -> dict[str, Any]:
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": [SHAPES[layer.source.kind]]}
    if query.crs != CRS84:  # which is what GeoParquet means where nothing is said
        column["crs"] = pyproj.CRS.from_user_input(_authority(query.crs)).to_json_dict()
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _authority(crs: Crs) -> str:
    return f"EPSG:{crs.uri.removeprefix(EPSG)}" if crs.uri.startswith(EPSG) else "OGC:CRS84"


ENCODERS: dict[str, type[CsvEncoder | FlatGeobufEncoder | GeoParquetEncoder]] = {
    CSV: CsvEncoder,
    FLATGEOBUF: FlatGeobufEncoder,
    GEOPARQUET: GeoParquetEncoder,
}
