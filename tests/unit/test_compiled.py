"""What `scripts/install.sh python` leaves compiled, for where Python may not write beside its sources."""

from pathlib import Path

import fastapi.applications
import pytest
import sqlalchemy.orm.session

import app.main


@pytest.mark.parametrize("module", [fastapi.applications, sqlalchemy.orm.session, app.main])
def test_what_the_service_loads_is_compiled(module: object) -> None:
    cached = module.__spec__.cached  # type: ignore[attr-defined]
    assert Path(cached).exists(), "scripts/install.sh python compiles it"
