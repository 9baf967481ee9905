"""What the encoder writes, a reader reads back."""

import mapbox_vector_tile as mvt
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tiles.arrays import GAP
from tiles.encode import Coded, Column, Encoder, Numbers, Texts

WHOLE = st.one_of(st.integers(-(2**40), 2**53), st.none())
REAL = st.one_of(st.floats(allow_nan=False, width=64), st.none())
LEAST = np.iinfo(np.int64).min


def texts(values: list[str | None]) -> Texts:
    encoded = [None if v is None else v.encode() for v in values]
    return Texts(
        b"".join(bytes(GAP) + v for v in encoded if v is not None),
        np.array([-1 if v is None else len(v) for v in encoded], np.int64),
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 40), with_ids=st.booleans())
def test_any_columns_come_back(data: st.DataObject, count: int, with_ids: bool) -> None:
    def many(values: st.SearchStrategy[object]) -> list[object]:
        return data.draw(st.lists(values, min_size=count, max_size=count))

    ids = many(st.integers(0, 2**62)) if with_ids else None
    x, y = (many(st.integers(0, 4095)) for _ in "xy")
    told: dict[str, list[object]] = {
        "whole": many(WHOLE),
        "real": many(REAL),
        "text": many(st.one_of(st.text(max_size=200), st.none())),
        "coded": many(st.sampled_from(["地表水", True, 3, 2.5, None])),
    }
    codes = ("地表水", True, 3, 2.5)
    columns: dict[str, Column] = {
        "whole": Numbers(np.array([LEAST if v is None else v for v in told["whole"]], np.int64)),
        "real": Numbers(np.array([np.nan if v is None else v for v in told["real"]], np.float64)),
        "text": texts(told["text"]),  # type: ignore[arg-type]
        "coded": Coded(
            np.array([-1 if v is None else [repr(c) for c in codes].index(repr(v)) for v in told["coded"]]),
            codes,
        ),
    }
    encoder = Encoder("layer")
    encoder.add(None if ids is None else np.array(ids, np.int64), np.array(x), np.array(y), columns)
    features = mvt.decode(encoder.bytes(), default_options={"y_coord_down": True})["layer"]["features"]
    assert len(features) == count
    for i, feature in enumerate(features):
        assert feature["geometry"]["coordinates"] == [x[i], y[i]]
        assert feature["properties"] == {
            name: values[i] for name, values in told.items() if values[i] is not None
        }
        if ids is not None:
            assert feature["id"] == ids[i]


def test_batches_of_other_columns_share_a_layer() -> None:
    encoder = Encoder("layer")
    one = np.array([1])
    encoder.add(one, one, one, {"a": Coded(np.array([0]), ("x",))})
    encoder.add(None, one, one, {"b": Numbers(np.array([7])), "a": Coded(np.array([0]), ("x",))})
    features = mvt.decode(encoder.bytes())["layer"]["features"]
    assert [f["properties"] for f in features] == [{"a": "x"}, {"b": 7, "a": "x"}]


def test_nothing_is_no_tile() -> None:
    encoder = Encoder("layer")
    none = np.zeros(0, np.int64)
    encoder.add(none, none, none, {"a": Numbers(none)})
    assert encoder.bytes() == b""
