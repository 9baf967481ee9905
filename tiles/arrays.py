"""Columns of a result as numpy arrays, each sent as one value: no step a row, and no byte more than the values have.

Numbers come as `string_agg(int8send(…), '')`, texts with a gap between them that no text can hold and that just
fits the head of a value in a vector tile (`tiles.encode`). Rows without a number would be missing: coalesce them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SEND = {"i4": "int4send", "i8": "int8send", "f4": "float4send", "f8": "float8send"}
GAP = 4
"""Zero bytes before each text: UTF-8 in PostgreSQL has none."""
NONE = b"\xff"
"""Stands for a text that is null: no UTF-8 has it."""


def numbers_sql(expression: str, kind: str) -> str:
    """An aggregate that sends an expression of just this type (i4, i8, f4, f8), which is never null."""
    return f"string_agg({SEND[kind]}({expression}), '')"


def numbers(sent: bytes | None, kind: str) -> Array:
    """The elements; none, if nothing was aggregated."""
    return np.frombuffer(sent or b"", f">{kind}").astype(kind)


def texts_sql(expression: str) -> str:
    """An aggregate that sends an expression as text."""
    return f"string_agg(coalesce(textsend({expression}::text), '\\xff'), '\\x{'00' * GAP}')"


def texts(sent: bytes | None) -> tuple[bytes, Array]:
    """The texts that are there, a gap before each, and the length of every one: -1 where it is null."""
    if sent is None:
        return b"", np.zeros(0, np.int64)
    spaced = bytes(GAP) + sent
    buffer = np.frombuffer(spaced, np.uint8)
    starts = np.flatnonzero(buffer == 0)[GAP - 1 :: GAP] + 1
    lengths = np.diff(starts, append=len(buffer) + GAP) - GAP
    if NONE not in sent:
        return spaced, lengths
    null = (lengths == 1) & (buffer[np.minimum(starts, len(buffer) - 1)] == NONE[0])
    kept = buffer[np.repeat(~null, lengths + GAP)]
    return kept.tobytes(), np.where(null, -1, lengths)


HEAD = 20
"""Bytes before the elements of an array: dimensions, flags, type, length, lower bound."""


def read(sent: bytes | None, kind: str) -> Array:
    """The elements of `array_send(array_agg(…))`, without NULLs, of type `kind` (i2, i4, i8, f4, f8)."""
    if sent is None:
        return np.zeros(0, kind)
    layout = np.dtype([("length", ">i4"), ("value", f">{kind}")])
    return np.frombuffer(sent, layout, offset=HEAD)["value"].astype(kind)
