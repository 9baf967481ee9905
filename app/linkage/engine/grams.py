"""Pairs of neighbouring characters of many texts as one sparse matrix, and the cosine of chosen rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

BITS = 20
CHUNK = 500_000


@dataclass(frozen=True)
class Grams:
    """Counts of character pairs, a row a text, hashed to 2^BITS columns."""

    counts: sparse.csr_matrix

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Grams":
        """The pairs of characters of each text with its beginning and end marked."""
        marked = [f"\x02{text}\x03" for text in texts]
        lengths = np.array([len(text) for text in marked], np.int64)
        characters = np.frombuffer("".join(marked).encode("utf-32-le"), np.uint32).astype(np.uint64)
        if not len(characters):
            return cls(sparse.csr_matrix((len(texts), 1 << BITS), dtype=np.float32))
        pairs = (characters[:-1] * np.uint64(0x9E3779B97F4A7C15) + characters[1:]) * np.uint64(
            0xC2B2AE3D27D4EB4F
        )
        columns = (pairs >> np.uint64(64 - BITS)).astype(np.int32)
        within = np.ones(len(characters), bool)
        within[np.cumsum(lengths) - 1] = False  # the pair that would reach into the next text
        columns = columns[within[:-1]]
        starts = np.concatenate([[0], np.cumsum(lengths - 1)])
        matrix = sparse.csr_matrix(
            (np.ones(len(columns), np.float32), columns, starts), shape=(len(texts), 1 << BITS)
        )
        matrix.sum_duplicates()
        return cls(matrix)

    def document_frequency(self) -> npt.NDArray[np.int64]:
        """In how many texts each column occurs."""
        return np.bincount(self.counts.indices, minlength=1 << BITS)

    def weighted(self, idf: npt.NDArray[np.float32]) -> sparse.csr_matrix:
        """Rows of length 1, each count weighted by how much its pair tells."""
        matrix = self.counts.copy()
        matrix.data = matrix.data * idf[matrix.indices]
        squares = (
            np.add.reduceat(np.append(matrix.data**2, 0), matrix.indptr[:-1])
            if matrix.nnz
            else np.zeros(matrix.shape[0])
        )
        lengths = np.sqrt(np.where(np.diff(matrix.indptr) > 0, squares[: matrix.shape[0]], 1.0))
        matrix.data /= np.repeat(np.maximum(lengths, 1e-9), np.diff(matrix.indptr)).astype(np.float32)
        return matrix


def cosines(
    left: sparse.csr_matrix, right: sparse.csr_matrix, i: npt.NDArray[np.int32], j: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Cosine of row i[k] of `left` with row j[k] of `right`, for every k."""
    found = np.empty(len(i), np.float32)
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = np.asarray(left[i[part]].multiply(right[j[part]]).sum(axis=1)).ravel()
    return found
