"""MapLibre expressions over columns: each style that we serve can be drawn, and values are the specification's."""

from typing import Any

import numpy as np
import pytest

from app.ogc.legacy.expressions import Features, UnknownExpression, chosen, evaluate, numbers
from layers import catalog
from layers.derive.style import THEMES, layers_of


def column(*values: Any) -> Any:
    found = np.empty(len(values), object)
    found[:] = values
    return found


FEATURES = Features(
    {
        "state": column("linked", "pending", None),
        "n": column(4, 100.0, None),
        "cell": column(True, None, None),
    },
    3,
    7.0,
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (7, [7, 7, 7]),
        (["get", "state"], ["linked", "pending", None]),
        (["get", "nothing"], [None, None, None]),
        (["has", "cell"], [True, False, False]),
        (["!", ["has", "cell"]], [False, True, True]),
        (["all", ["has", "n"], ["==", ["get", "state"], "linked"]], [True, False, False]),
        (["any", ["has", "cell"], [">", ["get", "n"], 50]], [True, True, False]),
        (["match", ["get", "state"], "linked", "a", ["pending", "x"], "b", "c"], ["a", "b", "c"]),
        (["case", ["<", ["get", "n"], 10], "few", ["<=", ["get", "n"], 100], "many", "none"], ["few", "many", "none"]),
        (["step", ["get", "n"], "s", 10, "m", 100, "l"], ["s", "l", "s"]),
        (["interpolate", ["linear"], ["zoom"], 5, 0, 10, 10], [4, 4, 4]),
        (["interpolate", ["linear"], ["get", "n"], 0, 0, 10, 1], [0.4, 1, 1]),
        (["coalesce", ["get", "n"], 0], [4, 100.0, 0]),
        (["concat", ["to-string", ["get", "n"]], "万"], ["4万", "100万", "万"]),
        (["number-format", ["/", ["*", ["get", "n"], 1234], 10], {"max-fraction-digits": 1}], ["493.6", "12,340", "0"]),
        (["sqrt", ["get", "n"]], [2, 10, None]),
        (["max", ["get", "n"], 50], [50, 100, 50]),
        (["==", ["get", "cell"], 1], [False, False, False]),
    ],
    ids=str,
)  # fmt: skip
def test_an_expression_has_its_value_for_each_feature(expression: Any, expected: list[Any]) -> None:
    assert list(evaluate(expression, FEATURES)) == pytest.approx(expected)


def test_exponential_interpolation_grows_as_the_specification_says() -> None:
    made = numbers(["interpolate", ["exponential", 0.5], ["get", "n"], 1, 5, 100, 11], FEATURES)
    assert made[0] == pytest.approx(5 + 6 * (0.5**3 - 1) / (0.5**99 - 1))


def test_no_filter_keeps_all() -> None:
    assert chosen(None, FEATURES).all()


def test_an_unknown_operator_is_told() -> None:
    with pytest.raises(UnknownExpression, match="heatmap-density"):
        evaluate(["heatmap-density"], FEATURES)


@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.parametrize("audience", ["public", "officer"])
@pytest.mark.parametrize("layer", list(catalog.load()))
def test_every_style_that_we_serve_can_be_evaluated(layer: str, audience: Any, theme: str) -> None:
    for lang in ("zh", "en"):
        for style in layers_of(catalog.load()[layer], audience, theme, lang):
            chosen(style.get("filter"), FEATURES)
            for part in ("paint", "layout"):
                for name, value in style.get(part, {}).items():
                    if (
                        isinstance(value, list)
                        and name != "text-offset"
                        and isinstance(value[0], str)
                        and name not in FONTS
                    ):
                        evaluate(value, FEATURES)


FONTS = ("text-font", "text-variable-anchor")
