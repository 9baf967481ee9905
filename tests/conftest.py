"""What all tests share: a private PostGIS for each worker, migrated throw-away databases on it, and who runs what."""

import itertools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from app.access import service as access
from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, as_role

TEMPLATE = "shuitu_template"
ROOT = Path(__file__).resolve().parent.parent
TOGETHER = ("tests/e2e/", "tests/clients/", "tests/conformance/processes/", "tests/unit/demo/")
"""Folders whose tests share what takes long to bring up: one worker runs all of each. Of others it runs a file."""
LONGEST_FIRST = ("tests/e2e/", "tests/realdata/", "tests/docs/", "tests/clients/", "tests/integration/")
"""Long ones go first, so that at the end of a run no worker waits for another. The rest follows as it is named."""
CLEAR_AWAY = """
read -r _
read -r server < "$0/postgres/data/postmaster.pid" && kill -QUIT "$server" && while kill -0 "$server"; do sleep 0.1; done
rm -rf "$0"
"""
"""Waits until this process ends, in whatever way: a run that is interrupted leaves its workers no time for fixtures."""


class ByFixtures(LoadScopeScheduling):
    """Hands workers what shares its fixtures, in the order in which it was collected."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.split("::", 1)[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFixtures:
    config.option.loadscopereorder = False
    return ByFixtures(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        folders = enumerate(LONGEST_FIRST)
        return next((i for i, folder in folders if item.nodeid.startswith(folder)), len(LONGEST_FIRST))

    items.sort(key=turn)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """A password takes a third of a second on purpose, and tests make and check many hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data for tests; they skip where it is absent."""
    folder = Path(os.environ.get("SHUITU_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not here: {folder} (set SHUITU_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def pg_cluster() -> Iterator[EmbeddedCluster]:
    """A throw-away cluster of this process: workers share nothing."""
    # Not below pytest's own folder: the server's user could not walk to it.
    folder = Path(tempfile.mkdtemp(prefix="shuitu-test-"))
    folder.chmod(0o711)
    with subprocess.Popen(
        ["sh", "-c", CLEAR_AWAY, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        cluster = EmbeddedCluster(folder, fast=True)
        cluster.start()
        yield cluster


def dsns_on(cluster: EmbeddedCluster, name: str) -> Dsns:
    return Dsns(
        owner=as_role(cluster.dsn("shuitu_owner", name), "shuitu_owner"),
        service=as_role(cluster.dsn("shuitu_service", name), "shuitu_service"),
        map=as_role(cluster.dsn("shuitu_map", name), "shuitu_map"),
        admin=cluster.dsn("postgres", name),
    )


@pytest.fixture(scope="session")
def new_database(pg_cluster: EmbeddedCluster) -> Callable[[], Dsns]:
    """Makes migrated, empty databases: each is a copy of one template, some 50 ms."""
    numbers = itertools.count()

    def admin(statement: str) -> None:
        with psycopg.connect(pg_cluster.dsn("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    admin(f"create database {TEMPLATE} template template0 encoding 'UTF8'")
    migrate.upgrade(dsns_on(pg_cluster, TEMPLATE))

    def make() -> Dsns:
        name = f"test_{next(numbers)}"
        admin(f"create database {name} template {TEMPLATE}")
        # Rights on a database are not copied with it.
        admin(f"grant create, connect, temporary on database {name} to shuitu_owner, shuitu_service")
        admin(f"grant connect on database {name} to shuitu_map")
        return dsns_on(pg_cluster, name)

    return make


@pytest.fixture(scope="module")
def database(new_database: Callable[[], Dsns]) -> Dsns:
    """A migrated, empty database for this module's tests."""
    return new_database()
