"""Fields in one date: by their colour, by being even and bright, in reflectance and in pictures."""

import numpy as np
import pytest

from remote_sensing import irrigation, smooth, strips

Bands = dict[str, np.ndarray]
SIZE = 300
FIELD = (slice(100, 140), slice(50, 90))


def woods(unevenness: float) -> Bands:
    """Crowns and their shadows all over, and land without green in the north."""
    rng = np.random.default_rng(7)
    crowns = rng.normal(1, unevenness, (SIZE, SIZE)).astype(np.float32)
    bands = {
        n: np.float32(v) * crowns * rng.normal(1, 0.03, crowns.shape).astype(np.float32)
        for n, v in (("green", 0.05), ("red", 0.035), ("nir", 0.25))
    }
    for name, value in (("green", 0.12), ("red", 0.18), ("nir", 0.22)):
        bands[name][:60] = value * rng.normal(1, 0.03, (60, SIZE))
    return bands


def with_field(bands: Bands, unevenness: float = 0.02) -> Bands:
    """A crop as green as the woods: no ratio of its colours is its own, only light and evenness."""
    rng = np.random.default_rng(3)
    plants = rng.normal(1, unevenness, (40, 40))
    for name, value in (("green", 0.08), ("red", 0.056), ("nir", 0.40)):
        bands[name][FIELD] = value * plants * rng.normal(1, 0.02, (40, 40))
    return bands


def found(bands: Bands, least: float | None = irrigation.LEAST_NDVI) -> np.ndarray:
    codes = np.zeros(bands["nir"].shape, np.uint8)
    padded = {n: np.pad(v, strips.HALO, constant_values=np.nan).astype(np.float32) for n, v in bands.items()}
    irrigation.mark(padded, (0, 0), irrigation.limit(bands, least), codes)
    return np.asarray(codes == 6)


def test_an_even_bright_field_is_found_whatever_its_colour() -> None:
    mask = found(with_field(woods(0.1)))
    assert mask[103:137, 53:87].all()
    assert mask.sum() < 1.05 * 40 * 40


def test_bright_woods_are_no_field() -> None:
    mask = found(with_field(woods(0.1), unevenness=0.1))
    assert mask.sum() < 0.1 * 40 * 40


@pytest.mark.parametrize("scale", [1.0, 100.0, 400.0])
def test_evenness_does_not_depend_on_the_scale_of_the_numbers(scale: float) -> None:
    bands = with_field(woods(0.1))
    plain = np.zeros((SIZE, SIZE), np.uint8)
    smooth.add(bands["red"], bands["nir"], 0.55, 0.28, plain)
    other = np.zeros((SIZE, SIZE), np.uint8)
    red, nir = (bands[n] * np.float32(scale) for n in ("red", "nir"))
    smooth.add(red, nir, 0.55, 0.28 * scale, other)
    assert plain.sum() > 1_000
    assert (plain != other).mean() < 1e-4


def test_a_stretched_picture_shows_its_fields_too() -> None:
    """Each band of a picture is stretched by itself, so that greenness has no fixed limit."""
    picture = {}
    for name, values in with_field(woods(0.1)).items():
        low, high = np.percentile(values, 1), np.percentile(values, 99)
        picture[name] = np.clip(np.rint(1 + (values - low) / (high - low) * 254), 1, 255).astype(np.float32)
    mask = found(picture, None)
    assert mask[105:135, 55:85].mean() > 0.9
    assert mask.sum() < 1.2 * 40 * 40


def test_where_a_field_meets_no_data_nothing_is_invented() -> None:
    bands = with_field(woods(0.1))
    for values in bands.values():
        values[100:120, 50:90] = np.nan
    mask = found(bands)
    assert not mask[100:120].any()
    assert mask[124:137, 54:86].all()
