"""Two real registers, whole."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from app import wiring
from app.actor import system
from app.db.engine import Dsns, transaction
from app.imports import mapping, report, service
from app.imports.models import Import
from app.settings import Settings

pytestmark = pytest.mark.realdata
ACTOR = system("test")


@pytest.fixture(scope="module")
def bring(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path, str], tuple[Import, dict[tuple[str, str, str], int]]]]:
    services = wiring.services(
        Settings(database_url=new_database().admin, data_dir=tmp_path_factory.mktemp("data"))
    )

    def run(path: Path, name: str) -> tuple[Import, dict[tuple[str, str, str], int]]:
        with transaction(services.engine, ACTOR) as session:
            chosen = service.Submission("intakes", path, path.name, mapping.shipped()[name])
            record = service.submit(session, ACTOR, chosen, None)
        done = service.run(services, services.parts["import_kinds"], record.id, ACTOR)
        with transaction(services.engine, ACTOR) as session:
            reasons = {
                (r["severity"], r["field"], r["reason"]): r["rows"] for r in report.reasons(session, done.id)
            }
            if name == "california_pods":
                volume = session.execute(text("select sum(annual_volume_m3) from shuitu.intakes where code_scheme = 'ewrims'")).scalar_one()  # fmt: skip
                reasons["sum", "", ""] = int(volume)
        return done, reasons

    yield run
    services.engine.dispose()


def test_california(
    bring: Callable[..., tuple[Import, dict[tuple[str, str, str], int]]], shared_data: Path
) -> None:
    folder = shared_data / "registers" / "california"
    done, reasons = bring(folder / "ca_pods_2018.gpkg", "california_pods")
    assert (done.rows_total, done.rows_new, done.rows_rejected) == (56_026, 56_026, 0)
    assert reasons["warning", "lon,lat", "same_place"] == 365  # the duplicates that the file is known to hold
    rights = pd.read_csv(folder / "ca_rights_2018.csv.gz").drop_duplicates("appl_id").set_index("appl_id")
    import geopandas as gpd

    pods = gpd.read_file(folder / "ca_pods_2018.gpkg", ignore_geometry=True)
    expected = rights["face_value_af_per_year"].reindex(pods["appl_id"]).sum() * 1233.48183754752
    assert reasons["sum", "", ""] == pytest.approx(expected, rel=1e-6)


def test_philippines(
    bring: Callable[..., tuple[Import, dict[tuple[str, str, str], int]]], shared_data: Path
) -> None:
    path = shared_data / "registers" / "philippines" / "ph_nwrb_permits_raw.csv"
    done, reasons = bring(path, "philippines_nwrb")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert (done.rows_total, done.rows_new, done.rows_rejected) == (23_153, 20_767, 2_386)
    assert (
        reasons["reject", "lat", "missing_coordinate"]
        == (~raw["LATITUDE"].str.contains(r"\d")).sum()
        == 1_820
    )
    assert (
        reasons["reject", "lon", "missing_coordinate"]
        == (~raw["LONGITUDE"].str.contains(r"\d")).sum()
        == 1_827
    )
