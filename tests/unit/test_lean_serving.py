"""What a serving process costs before anybody asks it for something rare."""

import subprocess
import sys

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.db import revisions

RARE = {
    "alembic", "geopandas", "matplotlib", "numba", "openpyxl", "pandas", "pyarrow", "pyogrio", "rasterio",
    "scipy", "skimage", "sklearn", "splink", "duckdb", "httpx", "stac_pydantic",
}  # fmt: skip
"""Heavy, and used by single kinds of requests or by jobs only: loaded in the functions that use them."""
PROBE = """
import sys
from pathlib import Path
import app.hotline
from app.db import revisions
from app.main import create
from app.settings import Settings
create(Settings(data_dir=Path(sys.argv[1]), database_url="postgresql://nobody@127.0.0.1:1/none"))
revisions.head()
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Top-level modules of a process that is ready to serve."""
    told = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path_factory.mktemp("data"))], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    return set(told.stdout.split())


def test_a_process_that_serves_has_not_loaded_what_single_requests_need(loaded: set[str]) -> None:
    assert {"app", "tiles", "fastapi", "numpy"} <= loaded
    assert not loaded & RARE


def test_the_newest_revision_is_the_one_that_the_migration_tool_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(revisions.VERSIONS.parent))
    assert revisions.head() == ScriptDirectory.from_config(config).get_current_head()
