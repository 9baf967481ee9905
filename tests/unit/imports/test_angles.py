"""Angles as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.angles import AngleError, coarseness_km, parse_angle


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("119.4412", 119.4412),
        ("-117.2338884", -117.2338884),
        ("15`38`15`", 15.6375),
        ("09° 39` 50.__``", 9 + 39 / 60 + 50 / 3600),
        ("14*47*03*", 14 + 47 / 60 + 3 / 3600),
        ("16-39-5.87", 16 + 39 / 60 + 5.87 / 3600),
        ("123º 27` 04.8``", 123 + 27 / 60 + 4.8 / 3600),
        ("东经119°26′30″", 119 + 26 / 60 + 30 / 3600),
        ("１１９°２６′", 119 + 26 / 60),
        ("32°47'12\"N", 32 + 47 / 60 + 12 / 3600),
        ("117°14'2\"W", -(117 + 14 / 60 + 2 / 3600)),
        ("123`` 45.5`` 00``", 123 + 45.5 / 60),
        ("119度26分30秒", 119 + 26 / 60 + 30 / 3600),
    ],
)
def test_spellings(text: str, degrees: float) -> None:
    assert parse_angle(text, 180) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing_coordinate"),
        ("Buluc, Cagayan de Oro City", "missing_coordinate"),
        ("2rtyuio", "not_an_angle"),
        ("14`9.3`18`", "not_an_angle"),
        ("12° 21` 7_.__``", "incomplete_angle"),
        ("08*", "incomplete_angle"),
        ("14`` 51`` 4`3``", "run_together"),
        ("13`52`61`", "angle_out_of_range"),
        ("1148` 44` 43.34", "angle_out_of_range"),
        ("95.2", "angle_out_of_range"),
    ],
)
def test_what_is_no_angle_says_why(text: str, reason: str) -> None:
    with pytest.raises(AngleError) as caught:
        parse_angle(text, 90)
    assert caught.value.reason == reason


@given(
    st.integers(0, 179), st.integers(0, 59), st.integers(0, 5999),
    st.sampled_from(["°′″", "```", "***", "---", "度分秒"]), st.sampled_from(["", " ", "  "]),
)  # fmt: skip
def test_any_separator_any_spacing(d: int, m: int, hundredths: int, marks: str, gap: str) -> None:
    text = (
        f"{d}{marks[0]}{gap}{m}{marks[1]}{gap}{hundredths / 100:05.2f}{marks[2] if marks[2] != '-' else ''}"
    )
    assert parse_angle(text, 180) == pytest.approx(d + m / 60 + hundredths / 360_000, abs=1e-9)


@given(st.floats(-90, 90, allow_nan=False).map(lambda v: round(v, 6)))
def test_decimal_degrees_come_back(value: float) -> None:
    assert parse_angle(f"{value:.6f}", 90) == pytest.approx(value, abs=1e-9)


@given(st.text(max_size=30))
def test_any_text_is_an_angle_or_says_why(text: str) -> None:
    try:
        assert abs(parse_angle(text, 180)) <= 180
    except AngleError as error:
        assert error.reason
        assert error.message


@pytest.mark.parametrize(
    ("text", "km"), [("-123", 111.0), ("14° 34'", 1.9), ("14° 34' 2\"", 0.0), ("14.5", 0.0)]
)
def test_coarse_angles_are_told(text: str, km: float) -> None:
    assert coarseness_km(text) == km
