"""Linkage: how many pairs are found and how many are right, against nearest neighbour and trigrams in the same run.

Truth is made up (`generated.py`), or a real register that a careless clerk wrote a second time (`real.py`, and with
other habits and hard pairs `second_clerk.py`; read from SHUITU_SHARED_DATA, skipped where it is absent). `--scale` links that many rows and tells time and memory
alone; `--plot` draws how true the probabilities are.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.linkage.engine import LinkSettings, link
from benchmarks import Figure, data_folder, tell
from benchmarks.linkage import baselines, febrl, real, scoring, second_clerk
from benchmarks.linkage.generated import County, Errors, Registers, make
from benchmarks.linkage.scoring import Pair

ROWS, SCALE_B = 20_000, 0.7
F1_GOAL, REAL_GOAL, CONFIRMED_GOAL, ECE_GOAL = 0.97, 0.95, 0.995, 0.03
SCALE_GOAL_S, SCALE_GOAL_MIB, SCALE_ROWS = 1_200, 12 * 1024, 5_900_000
NATION = Errors(only_a=0.885)
"""650,000 intakes of permits for 5.9 million of the register."""
MADE_UP = {
    "made up": (1, Errors(), 1.0),
    "made up, crowded": (2, Errors(), 3.0),
    "made up, twice the errors": (3, Errors(offset=0.2, office=0.04, renamed=0.7, new_holder=0.1, renumbered=0.07, no_permit_no=0.6), 1.0),
}  # fmt: skip


def accuracy_of(name: str, a: pa.Table, b: pa.Table, truth: set[Pair], goal: float) -> list[Figure]:
    """F1 against both simple rules, the precision of what is confirmed, and the calibration error."""
    near = scoring.accuracy(baselines.nearest(a, b), truth)["f1"]
    cpu = time.process_time()
    linked = link(a, b, LinkSettings())
    cpu = time.process_time() - cpu
    found = scoring.of_linked(linked.pairs, truth)
    note = f"{len(a):,} × {len(b):,}, precision {found['precision']:.4f}, recall {found['recall']:.4f}, {cpu:.0f} s of processor"
    if "name" in a.column_names and "name" in b.column_names:
        note += f", trigrams {scoring.accuracy(baselines.trigrams(a, b), truth)['f1']:.3f}"
    confirmed = f"{found['confirmed']:.0%} of the chosen pairs are confirmed by rule"
    return [
        Figure(f"{name}: F1", found["f1"], "", "nearest within 100 m", near, found["f1"] / max(near, 1e-9), None, f"goal {goal}; {note}"),
        Figure(f"{name}: confirmed, precision", found["confirmed_precision"], "", "goal", CONFIRMED_GOAL, note=confirmed),
        Figure(f"{name}: calibration error", found["ece"], "", "at most", ECE_GOAL),
    ]  # fmt: skip


def measure(rows: int, with_real: bool) -> list[Figure]:
    figures: list[Figure] = []
    for name, (seed, errors, dense) in MADE_UP.items():
        made = make(rows, seed, errors, dense)
        figures += accuracy_of(name, made.a, made.b, made.truth, F1_GOAL)
    if not with_real:
        return figures
    figures += febrl.measure()
    if (data := real.folder()) is None:
        print("real registers: skipped, no data here (set SHUITU_SHARED_DATA)", file=sys.stderr)
        return figures
    for name, a, b, truth in itertools.chain(real.cases(data), second_clerk.cases(data)):
        figures += accuracy_of(name, a, b, truth, REAL_GOAL)
    return figures


def nation() -> list[County]:
    """The counties of the country, each at a point inside it."""
    from app.demo import sources

    frame = sources.boundaries().frame.set_index("code")
    found = []
    for code, row in frame[frame["level"] == 3].iterrows():
        at, above = row["geometry"].representative_point(), frame["name"]
        city = above.get(int(row["parent_code"]), "")
        found.append(
            County(above.get(int(code) // 10_000 * 10_000, ""), city, row["name"], int(code), at.x, at.y)
        )
    return found


def registers(rows: int) -> Registers:
    """A register of that many rows over all the country, with the permits' intakes that a nation has for as many."""
    return make(rows, 1, NATION, counties=nation())


def scale(rows: int) -> list[Figure]:
    """Time and memory of linking that many rows, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.linkage", "--child", str(rows)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    where = f"{told['rows_a']:,} × {told['rows_b']:,}"
    part = rows / SCALE_ROWS
    return [
        Figure("time", told["seconds"], "s", "goal, in proportion", SCALE_GOAL_S * part, note=f"{where}; {told['cpu']:.0f} s of processor, load {os.getloadavg()[0]:.0f}"),
        Figure("memory", told["peak_mib"], "MiB", "goal", SCALE_GOAL_MIB, note="most held at once by all processes, shared pages counted once each"),
        Figure("F1", told["f1"], "", "goal", F1_GOAL, note=f"precision {told['precision']:.4f}, recall {told['recall']:.4f}"),
    ]  # fmt: skip


def scale_here(rows: int) -> dict[str, Any]:
    made = registers(rows)
    started, cpu = time.perf_counter(), os.times()
    with scoring.Peak() as peak:
        linked = link(
            made.a,
            made.b,
            LinkSettings(),
            lambda stage, done, total: print(stage, done, total, file=sys.stderr, flush=True),
        )
    seconds, now = time.perf_counter() - started, os.times()
    used = sum(b - a for a, b in zip(cpu[:4], now[:4], strict=True))
    return {
        "rows_a": len(made.a), "rows_b": len(made.b), "seconds": seconds, "cpu": used, "peak_mib": peak.mib,
        **scoring.of_linked(linked.pairs, made.truth),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.linkage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, help=f"rows of a made-up register (default {ROWS:,})"
    )
    parser.add_argument("--made-up-only", action="store_true", help="no real registers")
    parser.add_argument(
        "--scale", type=int, help=f"link this many rows and tell time and memory ({SCALE_ROWS:,} is a nation)"
    )
    parser.add_argument(
        "--store", type=int, metavar="ROWS", help="bring this many rows together in a database, as a run does"
    )
    parser.add_argument("--data", type=Path, help="with --store: a data folder to keep, or to use again")
    parser.add_argument("--plot", type=Path, help="draw the calibration to this PNG")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(scale_here(given.child)))
        return
    if given.plot:
        from benchmarks.linkage import plot

        plot.draw(given.rows, given.plot)
        return
    if given.store:
        from benchmarks.linkage import storing

        with data_folder(given.data) as folder:
            made = storing.kept(folder, lambda: registers(given.store))
            tell("linkage", storing.measure(made, folder), as_json=given.as_json)
        return
    figures = scale(given.scale) if given.scale else measure(given.rows, not given.made_up_only)
    tell("linkage", figures, as_json=given.as_json)


if __name__ == "__main__":
    main()
