"""The files: the same bytes for the same seed and day, and a truth for every error in them."""

import json
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pytest

from app.demo import planted
from app.demo.files import spelled
from app.demo.load import Made, make
from app.demo.sources import Boundaries, Waters
from app.imports.angles import parse_angle

DAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def made(folder: Path, boundaries: Boundaries, waters: Waters) -> Made:
    return make(folder, boundaries, waters, 7, DAY)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_and_day_give_the_same_bytes(
    made: Made, folder: Path, boundaries: Boundaries, waters: Waters, tmp_path: Path
) -> None:
    make(tmp_path, boundaries, waters, 7, DAY)
    first, again = contents(folder), contents(tmp_path)
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_another_seed_gives_another_register(
    made: Made, folder: Path, boundaries: Boundaries, waters: Waters, tmp_path: Path
) -> None:
    make(tmp_path, boundaries, waters, 8, DAY)
    name = "示例_321023_宝应县_取水口.csv"
    assert contents(folder)[name] != contents(tmp_path)[name]


def test_counties_send_many_forms(made: Made) -> None:
    assert {one.path.suffix for one in made.files} == {".csv", ".xlsx", ".shp", ".gpkg"}


def test_each_row_is_spoilt_once_at_most(made: Made) -> None:
    for one in made.files:
        for row in one.table.rows:
            assert sum(p.error not in ("original", "permit_was_rejected") for p in row.planted) <= 1


def test_every_kind_of_error_is_planted(made: Made, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    found = defaultdict(Counter)  # type: ignore[var-annotated]
    for error in truth["errors"]:
        found[error["kind"]][error["error"]] += 1
    for kind, errors in (
        ("intakes", planted.INTAKE_ERRORS),
        ("permits", planted.PERMIT_ERRORS),
        ("indicators", planted.INDICATOR_ERRORS),
    ):
        assert {error.name for error in errors} <= set(found[kind])
    assert found["intakes"]["missing_coordinates"] == 18


def test_every_file_says_that_it_is_generated(made: Made) -> None:
    for one in made.files:
        assert one.path.name.startswith("示例")
        assert all("示例数据" in row.values["数据说明"] for row in one.table.rows)


def test_the_scene_holds_every_verdict(made: Made, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    assert {one["expected"] for one in truth["scenes"]["objects"]} >= {
        "explained", "no_intake", "new_since_last_date", "no_valid_permit", "permit_too_small",
    }  # fmt: skip


@pytest.mark.parametrize("spelling", range(8))
def test_every_spelling_of_an_angle_can_be_read(spelling: int) -> None:
    assert parse_angle(spelled(119.441736, spelling, "东经", "E"), 180) == pytest.approx(119.441736, abs=2e-6)
