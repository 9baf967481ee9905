"""Registers find each other: made-up ones with realistic errors, hard cases, and small ones."""

import numpy as np
import pyarrow as pa
import pytest

from app.linkage.engine import LinkSettings, link, score
from app.linkage.engine.comparisons import BY_NAME
from app.linkage.engine.deciding import decide
from app.linkage.engine.rivals import marginals
from benchmarks.linkage import baselines, scoring
from benchmarks.linkage.generated import Errors, Registers, make


@pytest.fixture(scope="module")
def made() -> Registers:
    return make(1_500, seed=11)


@pytest.fixture(scope="module")
def linked(made: Registers):  # type: ignore[no-untyped-def]
    return link(made.a, made.b)


def test_made_up_registers_are_linked_better_than_by_distance(made: Registers, linked) -> None:  # type: ignore[no-untyped-def]
    found = scoring.of_linked(linked.pairs, made.truth)
    assert found["f1"] > 0.97
    assert found["f1"] > scoring.accuracy(baselines.nearest(made.a, made.b), made.truth)["f1"] + 0.05
    assert found["confirmed_precision"] >= 0.995
    assert found["ece"] <= 0.03


def test_every_row_is_in_a_pair_or_told_to_be_without(made: Registers, linked) -> None:  # type: ignore[no-untyped-def]
    chosen = linked.pairs.filter(pa.compute.not_equal(linked.pairs["outcome"], "pending"))
    assert set(chosen["a"].to_pylist()) | set(linked.unmatched_a) == set(made.a["id"].to_pylist())
    assert set(chosen["b"].to_pylist()) | set(linked.unmatched_b) == set(made.b["id"].to_pylist())
    assert not set(chosen["a"].to_pylist()) & set(linked.unmatched_a)


def test_a_field_that_the_permit_gives_as_one_intake_is_n_to_one(made: Registers, linked) -> None:  # type: ignore[no-untyped-def]
    rows = linked.pairs.to_pylist()
    several = [row for row in rows if row["outcome"] == "n_to_one"]
    assert several
    assert sum((row["a"], row["b"]) in made.truth for row in several) > 0.9 * len(several)


def test_reasons_are_said_in_both_languages(linked) -> None:  # type: ignore[no-untyped-def]
    reasons = linked.pairs["reasons"][0].as_py()
    assert {"distance", "name_same"} & {reason["code"] for reason in reasons}
    assert all(reason["zh"] and reason["en"] for reason in reasons)


def test_a_few_rows_are_scored_by_a_kept_model(made: Registers, linked) -> None:  # type: ignore[no-untyped-def]
    few = made.a.slice(100, 12)
    pairs = score(few, made.b.slice(0, 300), linked.model)
    together = {(p["a"], p["b"]): p["probability"] for p in linked.pairs.to_pylist()}
    sure = [p for p in pairs.to_pylist() if p["probability"] > 0.9]
    assert sure
    assert all(together.get((p["a"], p["b"]), 0) > 0.5 for p in sure)


def test_linking_is_the_same_every_time(made: Registers) -> None:
    small = made.a.slice(0, 300), made.b.slice(0, 250)
    assert link(*small).pairs.equals(link(*small).pairs)


def wells(count: int, step_m: float, **columns: object) -> pa.Table:
    """A chain of wells on a line."""
    rows = [
        {
            "id": f"w{k}",
            "name": f"五星村{k + 1}号井",
            "holder": "五星村民委员会",
            "lon": 119.5 + k * step_m / 94_000,
            "lat": 32.8,
            **columns,
        }
        for k in range(count)
    ]
    return pa.Table.from_pylist(rows)


def test_the_number_beats_the_nearest_in_a_chain_of_wells() -> None:
    """Wells 40 m apart, all off by 40 m along the chain: the nearest neighbour of each is the wrong one."""
    a = wells(40, 40.0)
    b = a.set_column(
        a.column_names.index("lon"), "lon", pa.array([v + 40 / 94_000 for v in a["lon"].to_pylist()])
    )
    pairs = link(a, b).pairs.to_pylist()
    right = [p for p in pairs if p["outcome"] != "pending" and p["a"] == p["b"]]
    wrong = [p for p in pairs if p["outcome"] != "pending" and p["a"] != p["b"]]
    assert len(right) >= 38
    assert not wrong


def test_wells_without_anything_to_tell_them_apart_are_not_confirmed() -> None:
    a = pa.Table.from_pylist([{"id": f"a{k}", "name": "机井", "lon": 119.5, "lat": 32.8} for k in range(4)])
    b = pa.Table.from_pylist([{"id": f"b{k}", "name": "机井", "lon": 119.5, "lat": 32.8} for k in range(4)])
    assert "confirmed" not in link(a, b).pairs["decision"].to_pylist()


def test_a_contradiction_is_left_to_a_person() -> None:
    """The same permit number 12 km apart."""
    base = make(300, seed=4, errors=Errors(only_a=0, only_b=0))
    odd_a = {"id": "odd", "name": "兴隆泵站", "permit_no": "D321084S2020-7777", "lon": 119.4, "lat": 32.8}
    a = pa.concat_tables([base.a, pa.Table.from_pylist([odd_a])], promote_options="default")
    b = pa.concat_tables(
        [base.b, pa.Table.from_pylist([{**odd_a, "lon": 119.53}])], promote_options="default"
    )
    found = [p for p in link(a, b).pairs.to_pylist() if p["a"] == "odd" and p["b"] == "odd"]
    assert found
    assert found[0]["decision"] == "doubtful"
    assert any(reason["against"] for reason in found[0]["reasons"])


def test_a_step_between_two_registers_is_taken_out() -> None:
    made = make(1_500, seed=6, errors=Errors(office=0, shifted=0))
    moved = made.a.set_column(
        made.a.column_names.index("lon"),
        "lon",
        pa.array([None if v is None else v + 0.0012 for v in made.a["lon"].to_pylist()]),
    )
    found = link(moved, made.b)
    assert found.facts["step_m"][0] == pytest.approx(0.0012 * 111_195 * 0.85, abs=15)
    assert scoring.of_linked(found.pairs, made.truth)["f1"] > 0.96


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows_are_no_error(rows: int) -> None:
    a = wells(3, 500.0)
    assert len(link(a.slice(0, rows), a).unmatched_a) <= rows
    assert len(link(a, a.slice(0, rows)).unmatched_b) <= rows


def test_repeated_ids_are_refused() -> None:
    a = wells(2, 100.0)
    with pytest.raises(ValueError, match="unique"):
        link(pa.concat_tables([a, a]), a)


def test_cardinality_says_how_many_partners_there_may_be() -> None:
    a = wells(3, 15.0)
    b = pa.Table.from_pylist(
        [{"id": "field", "name": "五星村井", "holder": "五星村民委员会", "lon": 119.5, "lat": 32.8}]
    )
    pairs = link(a, b, LinkSettings(cardinality="one_to_one")).pairs.to_pylist()
    assert sum(p["outcome"] != "pending" for p in pairs) <= 1


def test_decided_pairs_are_learnt_from(made: Registers, linked) -> None:  # type: ignore[no-untyped-def]
    rows = link(made.a, made.b, LinkSettings(model=linked.model, keep_at=0.0001)).pairs.to_pylist()
    decided = pa.Table.from_pylist(
        [{"a": p["a"], "b": p["b"], "same": (p["a"], p["b"]) in made.truth} for p in rows[::2]]
    )
    again = link(made.a, made.b, LinkSettings(decided=decided, model=linked.model))
    assert again.model["calibration"]
    assert scoring.of_linked(again.pairs, made.truth)["ece"] < 0.02


def _village(k: int) -> dict[str, object]:
    name = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"[k % 20] + "东西南北"[k // 20] + "庄村"
    return {"name": name, "holder": f"{name}民委员会", "lon": 119 + k % 10 * 0.05, "lat": 32 + k // 10 * 0.05}


def test_numbered_wells_are_brought_to_the_one_intake_without_a_number_that_the_permit_gives() -> None:
    left, right, fields = [], [], set()
    for k in range(80):
        village, merged = _village(k), k % 5 == 0
        for well in (1, 2, 3):
            place = {"lon": village["lon"] + well * 0.0015, "lat": village["lat"]}
            left.append({**village, **place, "id": f"{k}-{well}", "name": f"{village['name']}{well}号机井"})
            if merged:
                fields.add((f"{k}-{well}", f"{k}"))
            else:
                right.append({**village, **place, "id": f"{k}-{well}", "name": f"{village['name']}{well}#井"})
        if merged:
            right.append(
                {**village, "id": f"{k}", "lon": village["lon"] + 0.003, "name": f"{village['name']}机井"}
            )
    a, b = (pa.Table.from_pylist(rows) for rows in (left, right))
    for pairs, turned in ((link(a, b).pairs, False), (link(b, a).pairs, True)):
        rows = pairs.to_pylist()
        chosen = {
            (p["b"], p["a"]) if turned else (p["a"], p["b"]): p for p in rows if p["outcome"] != "pending"
        }
        assert len(fields & chosen.keys()) > 0.9 * len(fields)
        assert {chosen[pair]["outcome"] for pair in fields & chosen.keys()} == {
            "one_to_n" if turned else "n_to_one"
        }
        # What a person has not seen is not sure.
        assert all(chosen[pair]["decision"] == "doubtful" for pair in fields & chosen.keys())


def test_a_row_between_equal_rivals_is_not_said_to_be_without_a_partner() -> None:
    rows = [{**_village(k), "id": f"{k}"} for k in range(80)]
    twins = [
        {"id": f"t{k}", "name": "机井", "holder": "青山农场", "lon": 119.3, "lat": 32.33} for k in range(3)
    ]
    linked = link(pa.Table.from_pylist(rows + twins), pa.Table.from_pylist(rows + twins))
    alone = dict(zip(linked.unmatched_a, linked.alone_a.tolist(), strict=True))
    assert set(alone) == {"t0", "t1", "t2"}
    assert max(alone.values()) < 0.3


@pytest.mark.parametrize(("rival", "decision"), [(11.0, "doubtful"), (4.0, "confirmed")])
def test_what_is_only_sure_because_its_rival_is_given_away_is_left_to_a_person(
    rival: float, decision: str
) -> None:
    """x is as much like 1 as like 2 or much more; 2 goes to y, so 1 is all that is left for x."""
    i, j = np.array([0, 0, 1]), np.array([0, 1, 1])
    log_odds = np.array([12.0, rival, 20.0])
    levels = {name: np.full(3, -1, np.int8) for name in BY_NAME}
    verdicts = decide(i, j, marginals(i, j, log_odds), log_odds, levels, LinkSettings())
    assert verdicts.probability[0] > 0.98
    assert verdicts.decision[0] == decision


def test_wells_that_share_one_of_their_numbers_are_not_confirmed() -> None:
    rows = [{**_village(k), "id": f"{k}"} for k in range(80)]
    one = {"holder": "青山农场", "lon": 119.3, "lat": 32.33, "id": "x"}
    left, right = [*rows, {**one, "name": "9号地1号井"}], [*rows, {**one, "name": "9号地2号井"}]
    pairs = link(pa.Table.from_pylist(left), pa.Table.from_pylist(right)).pairs.to_pylist()
    assert [p["decision"] for p in pairs if p["a"] == "x" == p["b"]] in ([], ["doubtful"])


def rights(part: float, seed: int) -> tuple[pa.Table, pa.Table]:
    """Four rights of each of 150 holders at one spot, each right in one of two registers and a part of them in both."""
    draw = np.random.default_rng(seed)
    spots = draw.uniform(0, 0.6, (150, 2)).repeat(4, axis=0) + np.array([119.0, 32.0])
    in_a = draw.random(len(spots)) < 0.5
    in_both = draw.random(len(spots)) < part
    sides = []
    for side, there in (("a", in_a | in_both), ("b", ~in_a | in_both)):
        rows = [
            {"id": f"{side}{k}", "holder": f"holder {k // 4 * 7919 % 1000:03d}x", "lon": lon, "lat": lat}
            for k, (lon, lat) in enumerate(spots + draw.normal(0, 2e-5, spots.shape))
            if there[k]
        ]
        sides.append(pa.Table.from_pylist(rows))
    return sides[0], sides[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_is_sure_of_look_alikes_where_registers_share_little(seed: int) -> None:
    """Of rights that nothing tells apart, one in each register, a twentieth are the same."""
    found = link(*rights(0.05, seed)).pairs.to_pylist()
    assert not [p for p in found if p["decision"] == "confirmed" or p["probability"] > 0.8]
