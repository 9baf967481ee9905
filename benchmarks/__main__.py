"""Run every benchmark and print one table each: `python -m benchmarks [NAME…] [--json]`."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import show

HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """Every benchmark: each is a package here with a `__main__`."""
    return sorted(path.parent.name for path in HERE.glob("*/__main__.py"))


def run(name: str) -> dict[str, object]:
    """One benchmark's answer; a failed one says so in it."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json"],
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        return {"benchmark": name, "failed": done.returncode}
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"of: {', '.join(names())}; all without one")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    given = parser.parse_args()
    if unknown := set(given.name) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    answers = []
    for name in given.name or names():
        print(f"{name} …", file=sys.stderr, flush=True)
        answers.append(answer := run(name))
        if given.as_json:
            continue
        if "figures" in answer:
            show(name, answer["figures"], str(answer.get("machine", "")))  # type: ignore[arg-type]
        else:
            print(json.dumps(answer, ensure_ascii=False, indent=1))
    if given.as_json:
        print(json.dumps(answers, ensure_ascii=False, indent=1))
    raise SystemExit(any("failed" in answer for answer in answers))


if __name__ == "__main__":
    main()
