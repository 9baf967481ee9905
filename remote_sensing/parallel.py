"""The places of a run on a Dask cluster: each place is one task, and a worker that dies gives its task to another."""

import os
import queue
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from distributed import Client, Event, Future, KilledWorker, LocalCluster, get_client, get_worker

from remote_sensing.options import Options
from remote_sensing.runs import Cancelled, Group, Progress, Register, Result, RunError, intakes_of, one

REACHED_WITHIN = "20s"
AHEAD = 2
"""Tasks handed over per thread of the cluster: one is worked on, one waits there."""
STOPPED_WITHIN = 60.0
"""Seconds that a cancelled run waits for what is being worked on to notice."""


def run(
    groups: Sequence[Group],
    register: Register,
    out: Path,
    options: Options,
    aoi: shapely.Geometry | None,
    scheduler: str | None,
    workers: int,
    cancelled: Callable[[], bool],
    progress: Progress,
) -> Iterator[Result]:
    """`runs.run_all` on a cluster at `scheduler`, or on `workers` processes of this machine."""
    if scheduler is None:
        # The processes share the cores; what is found does not depend on the number of threads.
        options = replace(options, workers=max(1, (os.cpu_count() or 1) // workers))
    with _cluster(scheduler, workers) as client:
        name = f"shuitu-{uuid.uuid4().hex}"
        work = _Work(client, name, len(groups), progress)
        waiting = iter(groups)
        try:
            while True:
                while len(work.running) < AHEAD * max(1, sum(client.nthreads().values())):
                    if (group := next(waiting, None)) is None:
                        break
                    intakes = intakes_of(group, register, aoi)
                    work.submit(group, intakes, out.resolve() / group.key, options, aoi)
                if not work.running:
                    return
                if cancelled():
                    return
                if (result := work.finished(wait=0.5)) is not None:
                    yield result
        finally:
            work.close()


@contextmanager
def _cluster(scheduler: str | None, workers: int) -> Iterator[Client]:
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=REACHED_WITHIN, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RunError(
                f"无法连接 Dask 调度器 {scheduler} (the scheduler cannot be reached): {error}"
            ) from None
        with client:
            yield client
        return
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as here,
        Client(here, set_as_default=False) as client,
    ):
        yield client


class _Work:
    """What a run has on the cluster."""

    def __init__(self, client: Client, name: str, total: int, progress: Progress) -> None:
        self._client, self._name, self._total, self._progress = client, name, total, progress
        self.running: dict[Future[Any], Group] = {}
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._done = 0
        self._shares: dict[str, float] = {}
        self._stop = Event(name, client=client)
        client.subscribe_topic(name, self._told)

    def submit(
        self,
        group: Group,
        intakes: gpd.GeoDataFrame,
        out: Path,
        options: Options,
        aoi: shapely.Geometry | None,
    ) -> None:
        # Not pure: a place that is run again is worked on again.
        future = self._client.submit(
            _task, self._name, group, intakes, out, options, aoi, key=f"{self._name}-{group.key}", pure=False
        )
        self.running[future] = group
        future.add_done_callback(self._ended.put)

    def finished(self, wait: float) -> Result | None:
        """The next result, if one comes within `wait` seconds. Raises RunError if the cluster is lost."""
        try:
            future = self._ended.get(timeout=wait)
        except queue.Empty:
            if self._client.status != "running":
                raise RunError(
                    "与 Dask 调度器的连接中断 (the connection to the scheduler was lost)"
                ) from None
            return None
        group = self.running.pop(future)
        result = _result(future, group)
        self._done += 1
        self._shares.pop(group.key, None)
        self._tell("")
        return result

    def close(self) -> None:
        """Stop what still runs, and wait until it has stopped."""
        if self._client.status != "running":
            return
        if self.running:
            self._stop.set()
            deadline = time.monotonic() + STOPPED_WITHIN
            while self.running and time.monotonic() < deadline:
                try:
                    self.running.pop(self._ended.get(timeout=0.5), None)
                except queue.Empty:
                    if self._client.status != "running":
                        return
            self._client.cancel(list(self.running))
            self._stop.clear()
        self._client.unsubscribe_topic(self._name)

    def _told(self, event: tuple[Any, dict[str, Any]]) -> None:
        _, said = event
        self._shares[said["key"]] = said["share"]
        self._tell(said["step"])

    def _tell(self, step: str) -> None:
        share = (self._done + sum(list(self._shares.values()))) / max(1, self._total)
        self._progress(min(share, 1.0), step)


def _result(future: Future[Any], group: Group) -> Result:
    if future.status == "finished":
        result: Result = future.result()
        return result
    if future.status in ("cancelled", "lost"):
        raise RunError("Dask 调度器丢失了任务 (the scheduler lost the task)")
    error = future.exception()
    if isinstance(error, KilledWorker):
        said = "处理它的进程多次被终止，可能内存不足 (the workers on it died repeatedly: perhaps for want of memory)"
    else:
        said = f"{type(error).__name__}: {error}"
    return Result(group.key, (), None, (), said)


def _task(
    name: str,
    group: Group,
    intakes: gpd.GeoDataFrame,
    out: Path,
    options: Options,
    aoi: shapely.Geometry | None,
) -> Result | None:
    """One place, on a worker. None if the run was cancelled."""
    worker, stop = get_worker(), Event(name, client=get_client())
    last = 0.0

    def tell(share: float, step: str) -> None:
        nonlocal last
        if time.monotonic() - last < 1:
            return
        last = time.monotonic()
        if stop.is_set():
            raise Cancelled
        worker.log_event(name, {"key": group.key, "share": share, "step": step})

    try:
        return one(group, intakes, out, options, aoi, tell)
    except Cancelled:
        return None
