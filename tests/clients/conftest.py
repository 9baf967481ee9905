"""The service as a process of its own on a small register: real clients open it by its address."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.db.engine import Dsns
from tests import served

DEBIAN_PYTHON = "/usr/bin/python3"
INSTALL = "scripts/install.sh clients"


@dataclass(frozen=True)
class Service:
    """Where it listens, and the keys of its accounts."""

    address: str
    keys: served.Accounts
    settings: dict[str, str]
    """Variables by which a command works on its data."""

    @property
    def ogc(self) -> str:
        return f"{self.address}/ogc"


@pytest.fixture(scope="package")
def service(new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    dsns = new_database()
    served.fill(dsns)
    accounts = served.accounts(dsns)
    folder = tmp_path_factory.mktemp("clients")
    # A process of its own: GDAL holds Python's lock while it waits for an answer.
    with served.process(dsns, folder) as (_, address):
        told = {"SHUITU_DATABASE_URL": str(dsns.admin), "SHUITU_DATA_DIR": str(folder)}
        yield Service(address, accounts, told)


@pytest.fixture(scope="session")
def ogrinfo() -> str:
    """Debian's GDAL, older than that of pyogrio."""
    found = shutil.which("ogrinfo")
    if found is None:
        pytest.skip(f"ogrinfo is not installed ({INSTALL})")
    return found


@pytest.fixture(scope="session")
def gdalinfo(ogrinfo: str) -> str:
    return str(Path(ogrinfo).with_name("gdalinfo"))


@pytest.fixture(scope="session")
def debian_python() -> str:
    """Python that has Debian's QGIS."""
    asked = (
        subprocess.run([DEBIAN_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
        if Path(DEBIAN_PYTHON).exists()
        else None
    )
    if asked is None or asked.returncode:
        pytest.skip(f"QGIS is not installed ({INSTALL})")
    return DEBIAN_PYTHON
