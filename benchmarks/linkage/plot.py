"""How true the probabilities are, drawn: of pairs said to be 90 %, nine in ten should be the same intake."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from app.linkage.engine import LinkSettings, link
from benchmarks.linkage import scoring
from benchmarks.linkage.generated import make

BINS = 10
SEED = 21


def draw(rows: int, path: Path) -> None:
    """Two made-up registers of `rows` rows, linked without labels; the file is a PNG of about 900 pixels."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams["font.sans-serif"] = ["Noto Sans CJK SC", "WenQuanYi Zen Hei", "DejaVu Sans"]
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(6, 6.6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    for dense, colour, label in ((1.0, "#1f5fa8", "usual"), (3.0, "#b0562f", "crowded")):
        made = make(rows, SEED, dense=dense)
        pairs = link(made.a, made.b, LinkSettings(keep_at=0.001)).pairs
        p = np.asarray(pairs["probability"], float)
        right = np.array(
            [k in made.truth for k in zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True)], float
        )
        at = np.minimum((p * BINS).astype(int), BINS - 1)
        known = [k for k in range(BINS) if (at == k).sum() >= 10]
        said, seen = [p[at == k].mean() for k in known], [right[at == k].mean() for k in known]
        spread = [
            1.96 * np.sqrt(max(s * (1 - s), 1e-4) / (at == k).sum()) for s, k in zip(seen, known, strict=True)
        ]
        error = scoring.calibration_error(p, right)
        upper.errorbar(
            said,
            seen,
            yerr=spread,
            fmt="o-",
            color=colour,
            capsize=2,
            label=f"{label}: {len(p):,} pairs, ECE {error:.3f}",
        )
        lower.step(
            np.arange(BINS) / BINS + 0.05, [(at == k).sum() for k in range(BINS)], where="mid", color=colour
        )
    upper.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--")
    upper.set_ylabel("part that is the same intake")
    figure.legend(frameon=False, loc="outside upper center")  # the curves may lie in any corner
    lower.set_yscale("log")
    lower.set_ylabel("pairs")
    lower.set_xlabel("probability said")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
