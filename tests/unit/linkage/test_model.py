"""One definition of the comparisons: Splink's SQL, the arrays and a kept model say the same."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.linkage.engine import score, splinking
from app.linkage.engine.blocking import Blocks
from app.linkage.engine.calibrating import applied, fitted
from app.linkage.engine.commonness import Commonness
from app.linkage.engine.comparisons import COMPARISONS, Comparison, levels_of, sql_of
from app.linkage.engine.measuring import measures
from app.linkage.engine.model import Model, _falling
from app.linkage.engine.rivals import marginals
from app.linkage.engine.sides import cleaned
from app.linkage.engine.statistics import Statistics
from benchmarks.linkage.generated import make


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.name)
def test_levels_from_sql_are_the_levels_from_arrays(comparison: Comparison) -> None:
    rng = np.random.default_rng(3)
    bounds = np.array(comparison.bounds, np.float32)
    measured = np.concatenate(
        [
            bounds,
            np.nextafter(bounds, np.float32(-9)),
            np.nextafter(bounds, np.float32(9e9)),
            rng.uniform(-1, bounds.max() * 1.3, 500),
            [np.nan],
        ]
    ).astype(np.float32)
    cases = " ".join(
        f"when {condition} then {k}" for k, condition in enumerate(sql_of(comparison)) if condition != "ELSE"
    )
    table = pa.table({f"{comparison.name}_l": pa.array(measured, from_pandas=True)})
    with duckdb.connect() as db:
        db.register("pairs", table)
        query = f'select case when "{comparison.name}_l" is null then -1 {cases} else {len(bounds)} end from pairs'
        by_sql = [row[0] for row in db.execute(query).fetchall()]
    assert by_sql == levels_of(comparison, measured).tolist()


def test_splink_gives_the_weights_that_the_engine_adds_up() -> None:
    """Splink's own match weight of each pair is the engine's sum of Bayes factors, without its refinements."""
    made = make(400, seed=5)
    a, b = cleaned(made.a), cleaned(made.b)
    model = Model.prior(Statistics.of(a, b))
    i, j = Blocks(b).candidates(a)
    measured = measures(a, b, i, j, model.statistics)
    names = ["distance", "name", "number", "holder", "code"]
    weights = splinking.weights_by_splink({n: measured[n] for n in names}, names, model.m, model.u)
    own = sum(
        np.append(np.log2(model.m[n] / model.u[n]), 0.0)[
            levels_of(next(c for c in COMPARISONS if c.name == n), measured[n])
        ]
        for n in names
    )
    assert weights == pytest.approx(own, abs=1e-6)


def test_a_model_survives_being_kept() -> None:
    made = make(300, seed=2)
    a, b = cleaned(made.a), cleaned(made.b)
    model = Model.prior(Statistics.of(a, b))
    again = Model.from_json(json.loads(json.dumps(model.as_json())))
    i, j = Blocks(b).candidates(a)
    for name, values in measures(a, b, i, j, model.statistics).items():
        assert measures(a, b, i, j, again.statistics)[name] == pytest.approx(values, abs=1e-3, nan_ok=True)


def test_a_model_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        Model.from_json({"version": 0})


def test_a_model_of_an_older_release_says_what_it_said() -> None:
    """A store keeps the model of its last run over an upgrade. The file was written before look-alikes counted by overlap."""
    kept = json.loads(Path(__file__).with_name("kept_model.json").read_text("utf-8"))
    made = make(80, seed=21)
    now = {(p["a"], p["b"]): p["probability"] for p in score(made.a, made.b, kept["model"]).to_pylist()}
    assert len(kept["pairs"]) > 50
    assert {(a, b): now.get((a, b)) for a, b, _ in kept["pairs"]} == pytest.approx(
        {(a, b): p for a, b, p in kept["pairs"]}, abs=1e-3
    )


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9))
def test_weights_never_rise_as_levels_worsen(values: list[float]) -> None:
    found = _falling(np.array(values), np.ones(len(values)))
    assert (np.diff(found) <= 1e-9).all()
    assert found.sum() == pytest.approx(sum(values), abs=1e-6)


# ── rivals ───────────────────────────────────────────────────────────────────────────────────────────


def _exact(pairs: list[tuple[int, int]], odds: np.ndarray) -> np.ndarray:
    """Probabilities by counting every matching."""
    total, found = 0.0, np.zeros(len(pairs))
    for chosen in range(1 << len(pairs)):
        used = [pairs[k] for k in range(len(pairs)) if chosen >> k & 1]
        if len({i for i, _ in used}) < len(used) or len({j for _, j in used}) < len(used):
            continue
        weight = float(np.prod([odds[k] for k in range(len(pairs)) if chosen >> k & 1]))
        total += weight
        for k in range(len(pairs)):
            if chosen >> k & 1:
                found[k] += weight
    return found / total


@settings(max_examples=60)
@given(st.lists(st.floats(-4, 6), min_size=3, max_size=5), st.integers(0, 1))
def test_rivalry_is_exact_on_a_chain(log_odds: list[float], turn: int) -> None:
    pairs = [((k + turn) // 2, (k + 1 - turn) // 2) for k in range(len(log_odds))]
    i, j = (np.array(ends, np.int64) for ends in zip(*pairs, strict=True))
    p = marginals(i, j, np.array(log_odds))
    assert p == pytest.approx(_exact(pairs, np.exp(log_odds)), abs=5e-3)


def test_two_equal_rivals_share_a_row() -> None:
    p = marginals(np.array([0, 0]), np.array([0, 1]), np.array([8.0, 8.0]))
    assert p == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_row_that_may_have_many_partners_does_not_make_them_rivals() -> None:
    p = marginals(np.array([0, 1]), np.array([0, 0]), np.array([8.0, 8.0]), compete_b=False)
    assert (p > 0.99).all()


# ── calibration ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("decided", [120, 3_000])
def test_decided_pairs_bring_probabilities_in_line(decided: int) -> None:
    """An engine that says 90 % where 99 % is right learns so, from few pairs and from many."""
    rng = np.random.default_rng(8)
    true = rng.random(decided)
    said = 1 / (1 + np.exp(-(np.log(true / (1 - true)) / 2)))  # half as sure as it should be
    curve = fitted(said, rng.random(decided) < true)
    assert curve is not None
    before, after = np.abs(said - true).mean(), np.abs(applied(said, curve) - true).mean()
    assert after < before / 2
    assert (np.diff(curve["seen"]) >= 0).all()


def test_too_few_decisions_change_nothing() -> None:
    assert fitted(np.linspace(0, 1, 20), np.arange(20) % 2 == 0) is None
    assert applied(np.array([0.3]), None).tolist() == [0.3]


# ── numbers of several kinds ─────────────────────────────────────────────────────────────────────────


def code_level(left: dict[str, str], right: dict[str, str]) -> float:
    a, b = (cleaned(pa.Table.from_pylist([{"id": "1", **side}])) for side in (left, right))
    at = np.zeros(1, np.int64)
    return float(measures(a, b, at, at, Statistics.of(a, b))["code"][0])


def test_a_code_of_another_kind_is_no_evidence_against() -> None:
    assert np.isnan(
        code_level(
            {"code": "320001", "previous_no": "77123"},
            {"code": "", "permit_no": "D321084G2020-0001", "previous_no": "99"},
        )
    )
    assert (
        code_level({"code": "320001", "permit_no": "D321084G2020-0001"}, {"permit_no": "D321084G2020-0001"})
        == 4
    )
    assert (
        code_level({"code": "320001", "permit_no": "D321084G2020-0009"}, {"permit_no": "D321084G2021-1234"})
        == 0
    )


def test_a_former_number_counts_where_the_present_one_is_new() -> None:
    new = {"permit_no": "D321084G2024-0555", "previous_no": "D321084G2019-0017"}
    assert code_level({"permit_no": "D321084G2019-0017"}, new) == 4


def test_sides_that_name_their_number_differently_are_compared() -> None:
    assert code_level({"code": "A012345"}, {"permit_no": "A012345"}) == 4
    assert code_level({"code": "A012345"}, {"permit_no": "A999888"}) == 0


WORDS = [
    "alder",
    "birch",
    "cedar",
    "dogwood",
    "elm",
    "fir",
    "gum",
    "hazel",
    "ilex",
    "juniper",
    "kapok",
    "larch",
    "maple",
    "nutmeg",
    "oak",
    "pine",
    "quince",
    "rowan",
    "spruce",
    "teak",
]


@pytest.mark.parametrize(("beside", "power"), [("as many", 0.0), ("in proportion", 1.0)])
def test_how_the_number_of_neighbours_grows_with_the_holder_is_learnt(beside: str, power: float) -> None:
    """Holders of 3 and of 20 wells, all with one well beside each, or with as many as they have elsewhere."""
    table = pa.table(
        {
            "id": [str(k) for k in range(460)],
            "holder": [f"farm {WORDS[k // 3]} estate" for k in range(60)]
            + [f"works {WORDS[k // 20]} trust" for k in range(400)],
        }
    )
    side = cleaned(table)
    others = np.where(np.arange(460) < 60, 2, 19)
    times = np.ones(460, int) if beside == "as many" else others
    rows = np.repeat(np.arange(460), times)
    levels = {name: np.full(len(rows), -1, np.int8) for name in ("name", "holder", "distance")}
    levels["holder"][:], levels["distance"][:] = 0, 0
    found = Commonness.among(side, side, rows, levels, Statistics.of(side, side))
    assert found.growth["holder"][0] == pytest.approx(power, abs=0.1)
    # What is taken from common holders is given to rare ones: over all rows it comes to nothing.
    one = {name: np.zeros(460, np.int8) for name in levels} | {"name": np.full(460, -1, np.int8)}
    given = found.of(side, np.arange(460), one, Statistics.of(side, side))
    assert np.exp(-given).mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("T12N R09W S14", "T12N R9W S14", "same"),
        ("T12N R09W S14", "T12N R09W S15", "alike"),
        ("T12N R09W S14", "T03N R02W S31", "some"),
        ("1200 Elm Street", "Elm Street", "same"),
        ("1200 Elm Street", "3400 Elm Street", "some"),
    ],
)
def test_the_numbers_of_an_address_count(one: str, other: str, level: str) -> None:
    a, b = (cleaned(pa.table({"id": ["1"], "place": [text]})) for text in (one, other))
    at = np.zeros(1, np.int64)
    measured = measures(a, b, at, at, Statistics.of(a, b))["place"]
    comparison = next(c for c in COMPARISONS if c.name == "place")
    assert comparison.levels[levels_of(comparison, measured)[0]].name == level
