"""Columns come out of one value as they went into the aggregate."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tiles import arrays

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=140)


@given(st.lists(st.one_of(TEXT, st.none()), min_size=1))
def test_texts_come_back_with_their_lengths(told: list[str | None]) -> None:
    sent = bytes(arrays.GAP).join(arrays.NONE if one is None else one.encode() for one in told)
    spaced, lengths = arrays.texts(sent)
    assert lengths.tolist() == [-1 if one is None else len(one.encode()) for one in told]
    assert spaced == b"".join(bytes(arrays.GAP) + one.encode() for one in told if one is not None)


def test_nothing_aggregated_is_nothing() -> None:
    spaced, lengths = arrays.texts(None)
    assert spaced == b"" and len(lengths) == 0
    assert len(arrays.numbers(None, "i8")) == 0


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_come_back(told: list[int]) -> None:
    assert arrays.numbers(np.array(told, ">i8").tobytes(), "i8").tolist() == told
