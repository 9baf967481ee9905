"""A whole column of texts as values: each different text is read once, plain decimals all together.

A register repeats itself (sources, purposes, counties, towns), and its coordinates and volumes are mostly
written plainly. What is written otherwise goes through the field's own parser, text by text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from app.imports.angles import AngleError
from app.imports.kind import Form
from app.imports.values import BadValue

Parse = Callable[[str], tuple[Any, BadValue | None]]
NUMERIC: frozenset[Form] = frozenset({"lon", "lat", "number", "volume", "flow"})
"""Forms whose columns are floats, NaN where empty; the others hold objects, None where empty."""
# An angle without a decimal point may be whole degrees, which is a matter for the parser.
PLAIN = {"lon": r"^-?\d{1,3}\.\d{1,15}$", "lat": r"^-?\d{1,2}\.\d{1,15}$"}
PLAIN_QUANTITY = r"^\d{1,15}(\.\d{1,15})?$"
REMEMBERED = 500_000


@dataclass(frozen=True)
class Column:
    """Values of a column, and what is odd about some of its texts."""

    values: npt.NDArray[Any]
    """Shape (rows,): floats of a numeric form, else objects."""
    odd: Sequence[tuple[int, BadValue | AngleError, bool]]
    """(position, what is wrong, whether the row must go back) in the order of the rows."""
    missing: npt.NDArray[np.bool_]


class Reader:
    """Reads columns of one field; remembers the texts that it has parsed."""

    def __init__(self, form: Form, parse: Parse, factor: float | None, zero_is_empty: bool) -> None:
        """`factor`: what a plain number is multiplied by; None where no number is plain."""
        self._form, self._parse, self._factor, self._zero_is_empty = form, parse, factor, zero_is_empty
        self._memory: dict[str, Any] = {}

    def column(self, texts: Sequence[str]) -> Column:
        """`texts` as values; a text that cannot be read is missing, and odd."""
        codes, different = pd.factorize(_objects(texts))
        values = (
            np.full(len(different), np.nan) if self._form in NUMERIC else np.empty(len(different), object)
        )
        rest: npt.NDArray[Any] = np.arange(len(different))
        if self._form in NUMERIC and self._factor is not None and len(different):
            rest = self._plain(different, values, self._factor)
        odd = self._others(different, values, rest)
        found = values[codes]
        missing = np.isnan(found) if self._form in NUMERIC else pd.isna(_firsts(values))[codes]
        if not odd:
            return Column(found, (), missing)
        at = np.flatnonzero(np.isin(codes, list(odd)))
        return Column(found, [(int(i), *odd[codes[i]]) for i in at], missing)

    def _plain(self, texts: npt.NDArray[Any], values: npt.NDArray[Any], factor: float) -> npt.NDArray[Any]:
        """Fill in the values of plainly written decimals; returns the positions of all others."""
        array = pa.array(texts, pa.string())
        plain = pc.match_substring_regex(array, PLAIN.get(self._form, PLAIN_QUANTITY)).to_numpy(False)
        numbers = pc.cast(array.filter(pa.array(plain)), pa.float64()).to_numpy(False)
        if self._form in PLAIN:
            within = np.abs(numbers) <= (180.0 if self._form == "lon" else 90.0)
            plain[np.flatnonzero(plain)[~within]] = False
            numbers = numbers[within]
        else:
            numbers = numbers * factor
            if self._zero_is_empty:
                numbers[numbers == 0] = np.nan
        values[plain] = numbers
        return np.flatnonzero(~plain)

    def _others(
        self, texts: npt.NDArray[Any], values: npt.NDArray[Any], rest: npt.NDArray[Any]
    ) -> Mapping[int, tuple[BadValue | AngleError, bool]]:
        if len(self._memory) > REMEMBERED:
            self._memory.clear()
        odd: dict[int, tuple[BadValue | AngleError, bool]] = {}
        for i in rest.tolist():
            text = texts[i]
            result = self._memory.get(text)
            if result is None:
                self._memory[text] = result = _tried(self._parse, text)
            if isinstance(result, tuple):
                value, warning = result
                if value is not None:
                    values[i] = value
                if warning is not None:
                    odd[i] = warning, False
            else:
                odd[i] = result, True
        return odd


def constant(form: Form, value: Any, rows: int) -> npt.NDArray[Any]:
    """A column that the file does not give: its default in every row."""
    if form in NUMERIC:
        return np.full(rows, np.nan if value is None else value, np.float64)
    return _objects([value] * rows)


def _tried(parse: Parse, text: str) -> Any:
    try:
        return parse(text)
    except (BadValue, AngleError) as bad:
        return bad


def _objects(items: Sequence[Any]) -> npt.NDArray[Any]:
    """An array of objects, also where the items are lists."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _firsts(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lists replaced by themselves as one thing, for `isna` would look into them."""
    return _objects(["" if isinstance(value, list) else value for value in values])
