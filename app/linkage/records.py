"""The two sides as the engine takes them: read by COPY into Arrow, never row by row."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

NUMBERS = ("lon", "lat", "position_error_m", "annual_m3")
COLUMNS = (
    "id", "code", "name", "holder", "uscc", "permit_no", "previous_no", "county_code", "town", "place", "water_body", "lon", "lat",
    "position_error_m", "source_type", "purpose", "annual_m3", "group",
)  # fmt: skip
TYPES = {name: pa.float64() if name in NUMBERS else pa.string() for name in COLUMNS}
# Off-stream entries 河道外 that are not ended. A permit number that the register names is evidence: of a permit in the
# store, or of none, for then it may be badly typed.
INTAKES = """
select i.id, i.code, i.name, i.holder_name, h.uscc,
       coalesce((select min(p.permit_no) from shuitu.permit_intakes k join shuitu.permits p on p.id = k.permit_id
                 where k.intake_id = i.id and k.valid_to is null), i.attributes ->> 'permit_no',
                (select j.value from shuitu.import_rejects j where j.import_id = i.import_id and j.severity = 'warning'
                   and j.row_no = i.source_row and j.reason = 'permit_not_found' limit 1)),
       null, i.county_code, i.town, i.place, i.water_body, st_x(i.geom), st_y(i.geom), i.position_error_m,
       nullif(i.source_type, 'unknown'), nullif(i.purpose, 'other'), i.annual_volume_m3, null
from shuitu.intakes i left join shuitu.holders h on h.id = i.holder_id
where i.off_stream and i.status <> 'ended' and {which}"""
# A permit that lists no intakes is one, made of what it says of its place. Its id is that of the permit, marked p.
LISTED = """
select coalesce(t.id::text, 'p' || p.id), t.code, coalesce(t.name, ''), p.holder_name, h.uscc, p.permit_no, p.previous_number,
       coalesce(t.county_code, p.county_code), null, coalesce(nullif(t.place, ''), p.place), t.water_body, st_x(t.geom), st_y(t.geom), t.position_error_m,
       coalesce(nullif(t.source_type, 'unknown'), nullif(p.source_type, 'unknown')), coalesce(nullif(t.purpose, 'other'), nullif(p.purpose, 'other')),
       coalesce(t.annual_m3, case when t.id is null or s.n = 1 then p.annual_volume_m3 end), p.id
from shuitu.permits p left join shuitu.permit_points t on t.permit_id = p.id and t.valid_to is null
left join shuitu.holders h on h.id = p.holder_id
left join lateral (select count(*) as n from shuitu.permit_points u where u.permit_id = p.id and u.valid_to is null) s on t.id is not null
where {which}"""


@dataclass(frozen=True)
class Part:
    """A part of the country that is compared at a time: county codes in [lo, hi)."""

    lo: int
    hi: int

    @property
    def given(self) -> dict[str, Any]:
        return {"lo": self.lo, "hi": self.hi}


NATION = Part(0, 1_000_000)


def intakes_of(connection: psycopg.Connection[Any], part: Part) -> pa.Table:
    """Entries of the register in a part of the country."""
    return _read(
        connection, INTAKES.format(which="i.county_code >= %(lo)s and i.county_code < %(hi)s"), part.given
    )


def intakes_in(connection: psycopg.Connection[Any], counties: Sequence[int]) -> pa.Table:
    return _read(
        connection, INTAKES.format(which="i.county_code = any(%(counties)s)"), {"counties": list(counties)}
    )


def intakes_named(connection: psycopg.Connection[Any], ids: Sequence[int]) -> pa.Table:
    return _read(connection, INTAKES.format(which="i.id = any(%(ids)s)"), {"ids": list(ids)})


def listed_in(connection: psycopg.Connection[Any], part: Part) -> pa.Table:
    """Permits' intakes that lie in a part of the country, or whose permit does."""
    # Each way by its index: with `or` between the two tables all permits of the nation are read for every province.
    which = """p.id in (select id from shuitu.permits where county_code >= %(lo)s and county_code < %(hi)s
      union select permit_id from shuitu.permit_points where county_code >= %(lo)s and county_code < %(hi)s and valid_to is null)
      and ((t.county_code >= %(lo)s and t.county_code < %(hi)s) or (p.county_code >= %(lo)s and p.county_code < %(hi)s))"""
    return _read(connection, LISTED.format(which=which), part.given)


def listed_of(connection: psycopg.Connection[Any], permits: Sequence[int]) -> pa.Table:
    return _read(connection, LISTED.format(which="p.id = any(%(permits)s)"), {"permits": list(permits)})


def without_idle_codes(left: pa.Table, right: pa.Table) -> pa.Table:
    """The register's codes tell something where permits print intake codes too. Where none does, the engine would hold
    them against permit numbers, which they never equal."""
    if right["code"].null_count < len(right):
        return left
    column = left.schema.get_field_index("code")
    return left.set_column(column, "code", pa.nulls(len(left), pa.string()))


def _read(connection: psycopg.Connection[Any], query: str, given: Mapping[str, Any]) -> pa.Table:
    literal = sql.SQL(query.replace("%(", "{").replace(")s", "}")).format(
        **{name: sql.Literal(value) for name, value in given.items()}
    )
    statement = sql.SQL("copy ({}) to stdout (format csv)").format(literal)
    with connection.cursor().copy(statement) as copy:
        stream = _Stream(iter(copy))
        if not stream.peek():
            return pa.table({name: pa.array([], TYPES[name]) for name in COLUMNS})
        options = pyarrow.csv.ConvertOptions(
            column_types=TYPES, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        )
        reading = pyarrow.csv.ReadOptions(column_names=COLUMNS, block_size=8 << 20)
        parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
        with pyarrow.csv.open_csv(stream, reading, parsing, options) as batches:
            return pa.Table.from_batches(list(batches), batches.schema)


class _Stream(io.RawIOBase):
    """The bytes of a COPY as a file."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._left = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def peek(self) -> bool:
        """Is there anything left to read?"""
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._left = memoryview(block)
        return True

    def readinto(self, into: Any) -> int:
        """Fill all of the buffer: Arrow makes a batch of each read, with room for a whole block."""
        done = 0
        while done < len(into) and self.peek():
            n = min(len(into) - done, len(self._left))
            into[done : done + n] = self._left[:n]
            self._left = self._left[n:]
            done += n
        return done
