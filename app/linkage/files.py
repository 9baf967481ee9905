"""Link any two files without a database: read, link, write `pairs.csv`."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

from app.errors import InvalidInput
from app.linkage import file_mapping
from app.linkage.engine import Linked, LinkSettings, link
from app.linkage.engine.reasons import sentence
from app.linkage.engine.records import Progress
from app.linkage.engine.sides import floats
from app.linkage.file_mapping import FileMapping, Section
from app.linkage.file_tables import Register, agree_on_places, both_of, ids, lie_apart, read, table

HEADING = ("a", "b", "probability", "outcome", "decision", "reasons")


@dataclass(frozen=True)
class Read:
    """A file and what its columns mean."""

    register: Register
    section: Section
    guessed: bool


@dataclass(frozen=True)
class Answer:
    """Rows of pairs.csv, and what there is to tell."""

    rows: Sequence[tuple[str, str, float, str, str, str]]
    linked: Linked
    a: Read
    b: Read


def opened(path: Path, section: Section, side: str) -> Read:
    """The file with its columns found; guessed where the mapping names none but the id.

    Raises UnreadableFile or InvalidInput.
    """
    register = read(path, section)
    if not len(register.frame.columns):
        raise InvalidInput(f"{path.name} 没有数据行 (has no rows)", file=str(path))
    found = file_mapping.resolved(section, list(register.frame.columns), side, path.name)
    if set(found.columns) - {"id"}:
        if "id" not in found.columns:
            raise InvalidInput(
                f"映射的 {side} 没有 id (the mapping names no id for {side}): {', '.join(register.frame.columns[:40])}",
                field=f"{side}.id",
            )
        both_of(found, path.name)
        return Read(register, found, guessed=False)
    guess = file_mapping.guessed(register.frame, register.geometry is not None)
    return Read(register, replace(found, columns={**guess, **found.columns}), guessed=True)


def run(
    a: Path, b: Path, mapping: FileMapping, settings: LinkSettings, progress: Progress | None = None
) -> Answer:
    """Link the two files."""
    left, right = opened(a, mapping.a, "a"), opened(b, mapping.b, "b")
    settings = replace(settings, **mapping.tuning)
    tables = _mended(
        table(left.register, left.section),
        table(right.register, right.section),
        left.register,
        right.register,
    )
    _comparable(left, right, *tables)
    linked = link(*tables, settings, progress)
    return Answer(_rows(linked, left, right, settings), linked, left, right)


COMPARED = ("name", "holder", "uscc", "place", "water_body", "lon")
CODES = ("code", "permit_no", "previous_no")


def _comparable(left: Read, right: Read, a: pa.Table, b: pa.Table) -> None:
    """Raises InvalidInput where nothing is given for both files that could tell which rows are the same."""
    shared = [f for f in COMPARED if all(t[f].null_count < len(t) for t in (a, b))]
    codes = all(any(t[f].null_count < len(t) for f in CODES) for t in (a, b))
    if shared or codes:
        return
    told = "; ".join(
        f"{read.register.name}: " + ", ".join(f"{k}={'+'.join(c)}" for k, c in read.section.columns.items())
        for read in (left, right)
    )
    raise InvalidInput(
        f"两个文件没有可比的列：名称、取水权人、编号、地址、河流、坐标至少要有一样双方都有，请在映射中写明 "
        f"(nothing can be compared: name in the mapping at least one of name, holder, code, place, water_body or a "
        f"position for both files): {told}",
        field="mapping",
    )


def _mended(a: pa.Table, b: pa.Table, first: Register, second: Register) -> tuple[pa.Table, pa.Table]:
    places = [(floats(t, "lon").copy(), floats(t, "lat").copy()) for t in (a, b)]
    for count, register in zip(agree_on_places(*places), (first, second), strict=True):
        if count:
            register.odd["坐标颠倒或缺负号，已改正 (swapped or without its minus: mended)"] = [-1] * count
    if lie_apart(*places):
        first.odd[
            "两个文件的位置相距很远，请检查坐标系与列 (far from every place of the other file: check crs and columns)"
        ] = np.flatnonzero(np.isfinite(places[0][0])).tolist()
    found = []
    for t, (lon, lat) in zip((a, b), places, strict=True):
        for name, values in (("lon", lon), ("lat", lat)):
            t = t.set_column(t.column_names.index(name), name, pa.array(values, from_pandas=True))
        found.append(t)
    return found[0], found[1]


def _rows(
    linked: Linked, a: Read, b: Read, settings: LinkSettings
) -> list[tuple[str, str, float, str, str, str]]:
    ids_a, ids_b = ids(a.register, a.section), ids(b.register, b.section)
    pairs = linked.pairs.to_pylist()
    chosen = [p for p in pairs if p["outcome"] != "pending"]
    listed = sorted(chosen, key=lambda p: (int(p["a"]), -p["probability"]))
    rows = [
        (
            int(p["a"]),
            (
                ids_a[int(p["a"])],
                ids_b[int(p["b"])],
                p["probability"],
                p["outcome"],
                p["decision"],
                sentence(p["reasons"]),
            ),
        )
        for p in listed
    ]
    for name, mine, others, left_out, alone, outcome in (
        ("a", ids_a, ids_b, linked.unmatched_a, linked.alone_a, "intake_without_permit"),
        ("b", ids_b, ids_a, linked.unmatched_b, linked.alone_b, "permit_without_intake"),
    ):
        best = _best(pairs, name)
        for key, none in zip(left_out, alone.tolist(), strict=True):
            at = int(key)
            order = at if name == "a" else len(ids_a) + at
            rows.append((order, _unmatched(mine[at], others, best.get(key), none, outcome, name)))
    rows.sort(key=lambda row: row[0])
    return [row for _, row in rows]


def _best(pairs: Sequence[Mapping[str, Any]], end: str) -> dict[str, Mapping[str, Any]]:
    """The most probable pair of each row, for rows that were given none."""
    found: dict[str, Mapping[str, Any]] = {}
    for pair in pairs:
        found.setdefault(pair[end], pair)
    return found


def _unmatched(
    own: str, others: Sequence[str], rival: Mapping[str, Any] | None, none: float, outcome: str, end: str
) -> tuple[str, str, float, str, str, str]:
    decision, reasons = "confirmed", "没有相符的记录 (no record agrees)"
    if rival is not None:
        other = others[int(rival["b" if end == "a" else "a"])]
        decision, outcome = "doubtful", "pending"
        reasons = (
            f"最接近 {other}，概率 {rival['probability']:.2f} (nearest {other}, probability {rival['probability']:.2f})："
            + sentence(rival["reasons"])
        )
    return (
        (own, "", none, outcome, decision, reasons)
        if end == "a"
        else ("", own, none, outcome, decision, reasons)
    )


def write(rows: Sequence[tuple[str, str, float, str, str, str]], path: Path) -> None:
    """pairs.csv, UTF-8. Raises InvalidInput where it cannot be written."""
    with writing(path) as file:
        writer = csv.writer(file)
        writer.writerow(HEADING)
        writer.writerows((a, b, f"{probability:.4f}", *rest) for a, b, probability, *rest in rows)


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """The file, opened to be written as UTF-8. Raises InvalidInput where it cannot be."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InvalidInput(f"无法写入 {path} (cannot be written): {error.strerror}", file=str(path)) from None


def accuracy(rows: Sequence[tuple[str, str, float, str, str, str]], truth: Path) -> dict[str, float]:
    """Precision, recall and F1 of the pairs against a file of true ones (columns a, b, or its first two).

    Raises UnreadableFile, and InvalidInput for a file of fewer columns.
    """
    frame = read(truth, Section({})).frame
    if len(frame.columns) < 2:
        raise InvalidInput(f"{truth.name} 应有两列：a、b (should have two columns, a and b)", file=str(truth))
    first, second = ("a", "b") if {"a", "b"} <= set(frame.columns) else frame.columns[:2]
    true = {(x, y) for x, y in zip(frame[first], frame[second], strict=True) if x and y}
    found = {(a, b): (p, decision) for a, b, p, _, decision, _ in rows if a and b}
    right = true & set(found)
    sure = {pair for pair, (_, decision) in found.items() if decision == "confirmed"}
    return {
        "true_pairs": len(true),
        "pairs": len(found),
        "precision": len(right) / max(1, len(found)),
        "recall": len(right) / max(1, len(true)),
        "f1": 2 * len(right) / max(1, len(found) + len(true)),
        "confirmed": len(sure),
        "confirmed_precision": len(sure & true) / max(1, len(sure)),
        "expected_calibration_error": calibration_error(
            [p for p, _ in found.values()], [pair in true for pair in found]
        ),
    }


def calibration_error(probabilities: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: mean gap between said and seen frequency, over bins of equal width."""
    p, y = np.asarray(probabilities, float), np.asarray(right, float)
    if not len(p):
        return 0.0
    at = np.minimum((p * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(p[at == k].mean() - y[at == k].mean()) * (at == k).mean()
            for k in range(bins)
            if (at == k).any()
        )
    )


def summary(answer: Answer) -> dict[str, Any]:
    """Counts of what was read and found."""
    pairs = [row for row in answer.rows if row[0] and row[1]]
    return {
        "rows_a": len(answer.a.register.frame),
        "rows_b": len(answer.b.register.frame),
        "pairs": len(pairs),
        "confirmed": sum(row[4] == "confirmed" for row in pairs),
        "doubtful": sum(row[4] == "doubtful" for row in pairs),
        "only_a": len(answer.linked.unmatched_a),
        "only_b": len(answer.linked.unmatched_b),
        "mapping": {
            side: {key: list(columns) for key, columns in file_mapping.sorted_columns(read.section)}
            for side, read in (("a", answer.a), ("b", answer.b))
        },
        "odd": {
            side: {reason: len(rows) for reason, rows in read.register.odd.items() if rows}
            for side, read in (("a", answer.a), ("b", answer.b))
        },
        "seconds": answer.linked.facts.get("seconds", {}),
    }
