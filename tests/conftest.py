"""What all tests share: a private PostGIS for the run, and migrated throw-away databases on it."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.db import migrate
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, as_role

TEMPLATE = "shuitu_template"
ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests go last: its driver keeps an event loop running in this thread until the run ends."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data for tests; they skip where it is absent."""
    folder = Path(os.environ.get("SHUITU_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not here: {folder} (set SHUITU_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def pg_cluster() -> Iterator[EmbeddedCluster]:
    """A throw-away cluster for this run."""
    # Not below pytest's own folder: the server's user could not walk to it.
    folder = Path(tempfile.mkdtemp(prefix="shuitu-test-"))
    folder.chmod(0o711)
    cluster = EmbeddedCluster(folder, fast=True)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


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
