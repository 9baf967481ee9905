"""Loops made for speed give what the plain operation gives."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from remote_sensing import irrigation, objects

SQUARE = np.ones((3, 3), bool)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.3, 0.95), height=st.integers(8, 40))
def test_fields_are_opened_as_an_erosion_and_a_dilation_would(seed: int, share: float, height: int) -> None:
    rng, inset = np.random.default_rng(seed), 3
    mask = rng.choice([0, 1, 2], (height, 31), p=[(1 - share) * 0.7, share, (1 - share) * 0.3]).astype(
        np.uint8
    )
    before = rng.choice([0, 5], (height - 2 * inset, 25), p=[0.8, 0.2]).astype(np.uint8)
    codes = before.copy()
    irrigation._opened(mask, inset, np.uint8(6), codes)
    # What has no data is neither hole nor field.
    eroded = ndimage.binary_erosion(mask > 0, SQUARE) & (mask == 1)
    grown = (ndimage.binary_dilation(eroded, SQUARE) & (mask == 1))[inset:-inset, inset:-inset]
    np.testing.assert_array_equal(codes, np.where(grown & (before == 0), 6, before))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.95), width=st.integers(1, 40))
def test_pixels_are_numbered_by_kind_and_contact(seed: int, share: float, width: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.choice([0, 1, 2], (23, width), p=[1 - share, share * 0.6, share * 0.4]).astype(np.uint8)
    codes = kinds + 4 * (rng.random(kinds.shape) < 0.5).astype(np.uint8) * (kinds > 0)
    labels = np.empty(codes.shape, np.int32)
    count = objects._label(codes, labels, np.empty(codes.size + 1, np.int32))
    expected = np.zeros(codes.shape, int)
    for kind in (1, 2):
        numbered, _ = ndimage.label(kinds == kind, SQUARE)
        expected[numbered > 0] = numbered[numbered > 0] + expected.max()
    # The same pixels belong together, and objects are numbered in reading order.
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert count == expected.max() == labels.max(initial=0) == pairs.shape[1] - (kinds == 0).any()
    _, first = np.unique(labels[labels > 0], return_index=True)
    assert (np.diff(first) > 0).all()
