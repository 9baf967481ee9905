"""What a nation's register does every day, at its size: single events, a night of terms that ran out, bulk events, the desks' pages."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from app.deps import Services
from benchmarks import Figure, data_folder, tell
from benchmarks.register import desk, events, nation, nights

PARTS: dict[str, Callable[[Services, argparse.Namespace], Iterator[Figure]]] = {
    "events": lambda services, given: events.measure(services, given.events),
    "desk": lambda services, given: desk.measure(services),
    "night": lambda services, given: nights.expired(services),
    "bulk": lambda services, given: nights.bulk(services),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.register", description=__doc__)
    parser.add_argument("--intakes", type=int, default=nation.INTAKES)
    parser.add_argument("--permits", type=int, default=nation.PERMITS)
    parser.add_argument("--events", type=int, default=50, help="single events of each kind")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts to measure"
    )
    parser.add_argument("--data", type=Path, help="a data folder to keep, or to use again")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    with (
        data_folder(given.data) as folder,
        nation.store(folder, given.intakes, given.permits) as services,
    ):
        figures = [figure for name in PARTS if name in given.only for figure in PARTS[name](services, given)]
        tell("register", figures, as_json=given.as_json)


if __name__ == "__main__":
    main()
