"""The stream of changes as a client on the wire sees it: whom it tells what, and that it ends with the process."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.actor import system
from app.changes import service as changes
from app.db.engine import Dsns, engine, transaction
from app.maps.publishing import publish_features
from tests import served


@pytest.fixture(scope="module")
def stored(database: Dsns) -> tuple[Dsns, served.Accounts]:
    served.fill(database)
    return database, served.accounts(database)


@pytest.fixture
def process(
    stored: tuple[Dsns, served.Accounts], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """One web process of its own, and its address; it would wait a minute for an open stream."""
    with served.process(stored[0], tmp_path, patience_s=60) as running:
        yield running


def change(dsns: Dsns, layer: str, county: int = 321002) -> None:
    service = engine(dsns.service)
    with transaction(service, system("test")) as session:
        changes.record(session, "test", layer, "update", county)
    service.dispose()


def move(dsns: Dsns, intake: int) -> None:
    """Publish an intake, as after a change of its facts."""
    service = engine(dsns.service)
    with transaction(service, system("test")) as session:
        publish_features(session.connection().connection.driver_connection, "intakes", [intake])  # type: ignore[arg-type]
    service.dispose()


def test_each_hears_of_the_layers_it_sees(
    stored: tuple[Dsns, served.Accounts], process: tuple[subprocess.Popen[bytes], str]
) -> None:
    dsns, keys = stored
    address = f"{process[1]}/api/changes/stream"
    headers = {"X-API-Key": keys.county}
    with (
        httpx.stream("GET", address, timeout=30) as public,
        httpx.stream("GET", address, headers=headers, timeout=30) as officer,
    ):
        told_public, told_officer = public.iter_lines(), officer.iter_lines()
        assert "candidates" not in next(line for line in told_public if line.startswith("data:"))
        assert "candidates" in next(line for line in told_officer if line.startswith("data:"))
        change(dsns, "candidates")
        move(dsns, 1)  # outside the officer's county
        heard = next(line for line in told_public if line.startswith("data:") and "intakes" in line)
        assert "candidates" not in heard
        move(dsns, 300)
        heard = next(line for line in told_officer if line.startswith("data:") and "intakes" in line)
        where = json.loads(heard.removeprefix("data:"))["where"]
        # Of the intakes only the one in this county; told as a square of a kilometre, not as a point.
        (box,) = where["intakes"]
        lon, lat = served.place_of(300)[1:]
        change(dsns, "candidates", 321084)
        assert next(line for line in told_officer if line.startswith("data:") and "candidates" in line)
        assert box[0] <= lon <= box[2] and box[1] <= lat <= box[3]
        assert box[2] - box[0] == pytest.approx(0.01) and box[3] - box[1] == pytest.approx(0.01)


def test_an_open_stream_does_not_keep_the_process_from_ending(
    process: tuple[subprocess.Popen[bytes], str],
) -> None:
    running, address = process
    with httpx.stream("GET", f"{address}/api/changes/stream", timeout=50) as answer:
        lines = answer.iter_lines()
        assert "event: hello" in [next(lines), next(lines), next(lines)]
        running.send_signal(signal.SIGTERM)
        assert not [line for line in lines if line.startswith("event: change")]
    # The server would wait a minute for the stream; the test's patience is half of that.
    assert running.wait(30) in (0, -signal.SIGTERM)
