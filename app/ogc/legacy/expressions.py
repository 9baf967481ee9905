"""MapLibre expressions over the columns of a tile, so that pictures follow the very style that browsers draw.

A column is an array of objects, one a feature, with None where the feature lacks the property. Only the
operators that `layers.derive.style` writes are known; any other raises, and a test tries every layer's style.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]


class UnknownExpression(ValueError):
    """The style uses an operator that this module does not know."""


@dataclass(frozen=True, slots=True)
class Features:
    """The properties of a tile's features, and the zoom at which they are drawn."""

    columns: Mapping[str, Column]
    count: int
    zoom: float

    def filled(self, value: object) -> Column:
        column = np.empty(self.count, object)
        column.fill(value)
        return column


def evaluate(expression: Any, features: Features) -> Column:
    """The value of an expression for each feature. Raises UnknownExpression."""
    if not isinstance(expression, list):
        return features.filled(expression)
    operator, *arguments = expression
    try:
        return OPERATORS[operator](arguments, features)
    except (KeyError, TypeError) as error:
        raise UnknownExpression(f"{operator!r}: {error}") from error


def chosen(expression: Any, features: Features) -> npt.NDArray[np.bool_]:
    """Which features a filter keeps; all without one."""
    if expression is None:
        return np.ones(features.count, bool)
    return _true(evaluate(expression, features))


def numbers(expression: Any, features: Features, otherwise: float = 0.0) -> npt.NDArray[np.float64]:
    """An expression as numbers; what is none counts as `otherwise`."""
    return _floats(evaluate(expression, features), otherwise)


def _true(column: Column) -> npt.NDArray[np.bool_]:
    return np.fromiter((value is True for value in column), bool, len(column))


def _floats(column: Column, otherwise: float = np.nan) -> npt.NDArray[np.float64]:
    return np.fromiter(
        (
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
            for value in column
        ),
        np.float64,
        len(column),
    )


def _objects(values: Any) -> Column:
    column = np.empty(len(values), object)
    column[:] = list(values)
    return column


def _get(arguments: list[Any], features: Features) -> Column:
    found = features.columns.get(arguments[0])
    return features.filled(None) if found is None else found


def _has(arguments: list[Any], features: Features) -> Column:
    return _objects([value is not None for value in _get(arguments, features)])


def _not(arguments: list[Any], features: Features) -> Column:
    return _objects((~_true(evaluate(arguments[0], features))).tolist())


def _all(arguments: list[Any], features: Features) -> Column:
    kept = np.ones(features.count, bool)
    for argument in arguments:
        kept &= _true(evaluate(argument, features))
    return _objects(kept.tolist())


def _any(arguments: list[Any], features: Features) -> Column:
    kept = np.zeros(features.count, bool)
    for argument in arguments:
        kept |= _true(evaluate(argument, features))
    return _objects(kept.tolist())


def _equal(arguments: list[Any], features: Features) -> Column:
    left, right = (evaluate(argument, features) for argument in arguments)
    return _objects([_same(a, b) for a, b in zip(left, right, strict=True)])


def _same(a: object, b: object) -> bool:
    """Equal as JSON values: true is no number, and 1 is 1.0."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _unequal(arguments: list[Any], features: Features) -> Column:
    return _objects([not value for value in _equal(arguments, features)])


def _compared(test: Callable[[Any, Any], Any]) -> Callable[[list[Any], Features], Column]:
    def compare(arguments: list[Any], features: Features) -> Column:
        left, right = (_floats(evaluate(argument, features)) for argument in arguments)
        return _objects(test(left, right).tolist())

    return compare


def _match(arguments: list[Any], features: Features) -> Column:
    value, *pairs, otherwise = arguments
    found = evaluate(value, features)
    result = evaluate(otherwise, features).copy()
    open_ = np.ones(features.count, bool)
    for label, output in zip(pairs[::2], pairs[1::2], strict=True):
        labels = label if isinstance(label, list) else [label]
        hit = open_ & np.fromiter((any(_same(v, one) for one in labels) for v in found), bool, len(found))
        if hit.any():
            result[hit] = evaluate(output, features)[hit]
            open_ &= ~hit
    return result


def _case(arguments: list[Any], features: Features) -> Column:
    *pairs, otherwise = arguments
    result = evaluate(otherwise, features).copy()
    open_ = np.ones(features.count, bool)
    for condition, output in zip(pairs[::2], pairs[1::2], strict=True):
        hit = open_ & _true(evaluate(condition, features))
        if hit.any():
            result[hit] = evaluate(output, features)[hit]
            open_ &= ~hit
    return result


def _step(arguments: list[Any], features: Features) -> Column:
    value, first, *pairs = arguments
    found = _floats(evaluate(value, features))
    result = evaluate(first, features).copy()
    for stop, output in zip(pairs[::2], pairs[1::2], strict=True):
        hit = found >= stop
        if hit.any():
            result[hit] = evaluate(output, features)[hit]
    return result


def _interpolate(arguments: list[Any], features: Features) -> Column:
    kind, value, *pairs = arguments
    base = float(kind[1]) if kind[0] == "exponential" else 1.0
    if kind[0] not in ("linear", "exponential"):
        raise UnknownExpression(f"interpolate {kind[0]}")
    found = _floats(evaluate(value, features))
    stops = [float(stop) for stop in pairs[::2]]
    outputs = [_floats(evaluate(output, features)) for output in pairs[1::2]]
    result = np.where(found < stops[0], outputs[0], outputs[-1])
    for lo, hi, start, end in zip(stops, stops[1:], outputs, outputs[1:], strict=False):
        inside = (found >= lo) & (found < hi)
        result = np.where(inside, start + _share(found, lo, hi, base) * (end - start), result)
    return _objects([None if np.isnan(one) else one for one in result.tolist()])


def _share(found: npt.NDArray[np.float64], lo: float, hi: float, base: float) -> npt.NDArray[np.float64]:
    """How far a number is between two stops, as the style specification grows it."""
    far = np.clip(found - lo, 0, hi - lo)
    if base == 1.0:
        return np.asarray(far / (hi - lo))
    # The same quotient by expm1, which neither overflows nor divides zero by zero over wide stops.
    return np.asarray(np.expm1(far * np.log(base)) / np.expm1((hi - lo) * np.log(base)))


def _coalesce(arguments: list[Any], features: Features) -> Column:
    result = evaluate(arguments[0], features).copy()
    for argument in arguments[1:]:
        missing = np.fromiter((value is None for value in result), bool, len(result))
        if missing.any():
            result[missing] = evaluate(argument, features)[missing]
    return result


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _concat(arguments: list[Any], features: Features) -> Column:
    parts = [evaluate(argument, features) for argument in arguments]
    return _objects(["".join(map(_text, row)) for row in zip(*parts, strict=True)])


def _to_string(arguments: list[Any], features: Features) -> Column:
    return _objects([_text(value) for value in evaluate(arguments[0], features)])


def _number_format(arguments: list[Any], features: Features) -> Column:
    digits = int(arguments[1].get("max-fraction-digits", 3))
    found = _floats(evaluate(arguments[0], features), 0.0)
    return _objects(
        [
            f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
            for value in found.tolist()
        ]
    )


def _divide(arguments: list[Any], features: Features) -> Column:
    left, right = (_floats(evaluate(argument, features)) for argument in arguments)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _objects([value if np.isfinite(value) else None for value in (left / right).tolist()])


def _reduced(reduce: Callable[[Any, Any], Any]) -> Callable[[list[Any], Features], Column]:
    def apply(arguments: list[Any], features: Features) -> Column:
        found = _floats(evaluate(arguments[0], features))
        for argument in arguments[1:]:
            found = reduce(found, _floats(evaluate(argument, features)))
        return _objects([None if np.isnan(value) else value for value in found.tolist()])

    return apply


def _power(left: Any, right: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return np.power(left, right)


def _of_number(function: Callable[[Any], Any]) -> Callable[[list[Any], Features], Column]:
    def apply(arguments: list[Any], features: Features) -> Column:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = function(_floats(evaluate(arguments[0], features)))
        return _objects([value if np.isfinite(value) else None for value in found.tolist()])

    return apply


OPERATORS: dict[str, Callable[[list[Any], Features], Column]] = {
    "get": _get,
    "has": _has,
    "!": _not,
    "all": _all,
    "any": _any,
    "==": _equal,
    "!=": _unequal,
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "match": _match,
    "case": _case,
    "step": _step,
    "interpolate": _interpolate,
    "coalesce": _coalesce,
    "concat": _concat,
    "to-string": _to_string,
    "number-format": _number_format,
    "/": _divide,
    "*": _reduced(np.multiply),
    "+": _reduced(np.add),
    "-": _reduced(np.subtract),
    "max": _reduced(np.fmax),
    "min": _reduced(np.fmin),
    "^": _reduced(_power),
    "%": _reduced(np.fmod),
    "sqrt": _of_number(np.sqrt),
    "ln": _of_number(np.log),
    "log10": _of_number(np.log10),
    "log2": _of_number(np.log2),
    "abs": _of_number(np.abs),
    "floor": _of_number(np.floor),
    "ceil": _of_number(np.ceil),
    "round": _of_number(np.rint),
    "to-number": _of_number(np.asarray),
    "zoom": lambda arguments, features: features.filled(features.zoom),
    "literal": lambda arguments, features: features.filled(arguments[0]),
}
