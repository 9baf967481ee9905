"""The service with processes and a worker, on a register of its own: jobs are left on record."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import procrastinate
import pytest
from fastapi.testclient import TestClient

from app import jobs as queue
from app import wiring
from app.actor import Jurisdiction, Role
from app.db.engine import Dsns
from app.deps import Services
from app.settings import Settings
from app.worker import tasks
from tests import served
from tests.conformance.processes.asking import key_of
from tests.conformance.processes.listening import Receiver, receiver
from tests.served import Accounts


@pytest.fixture(scope="package")
def database_and_keys(new_database: Callable[[], Dsns]) -> tuple[Dsns, Accounts]:
    dsns = new_database()
    served.fill(dsns)
    return dsns, served.accounts(dsns)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="package")
def listening() -> Iterator[Receiver]:
    """What jobs may call back: the service and its worker are started with it as their setting."""
    with receiver() as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHUITU_CALLBACK_HOSTS", f"example.cn, {made.host}")
        yield made


@pytest.fixture(scope="package")
def web(database_and_keys: tuple[Dsns, Accounts], folder: Path, listening: Receiver) -> Iterator[TestClient]:
    with served.serving(database_and_keys[0], folder) as client:
        client.headers["X-API-Key"] = database_and_keys[1].nation
        yield client


@pytest.fixture(scope="package")
def keys(database_and_keys: tuple[Dsns, Accounts]) -> Accounts:
    return database_and_keys[1]


@pytest.fixture(scope="package")
def services(
    database_and_keys: tuple[Dsns, Accounts], folder: Path, listening: Receiver
) -> Iterator[Services]:
    made = wiring.services(Settings(database_url=database_and_keys[0].admin, data_dir=folder))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="package")
def worked(services: Services) -> Callable[[], None]:
    """Lets a worker do all that waits in the queue."""

    async def run() -> None:
        app = queue.connect(services.dsns.service)
        blueprint = procrastinate.Blueprint()
        blueprint.tasks = {
            name: task for name, task in tasks(services).tasks.items() if name.startswith("run_")
        }
        app.add_tasks_from(blueprint, namespace="")
        async with app.open_async():
            await app.run_worker_async(queues=[queue.QUEUE], wait=False, install_signal_handlers=False)

    def work() -> None:
        failed: list[BaseException] = []

        def inside() -> None:
            try:
                asyncio.run(run())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        assert not failed, failed

    return work


@pytest.fixture(scope="package")
def analyst(services: Services) -> dict[str, str]:
    return key_of(services, "analyst", Role.ANALYST, Jurisdiction.nation())
