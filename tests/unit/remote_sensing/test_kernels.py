"""Loops made for speed give what the plain operation gives."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from remote_sensing import irrigation

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
