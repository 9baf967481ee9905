"""The worker: runs jobs, each in the scope of the actor who asked for it, and the standing tasks."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import procrastinate

from app import jobs, logging, wiring
from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from app.errors import ShuituError
from app.imagery.watching import Watch
from app.imports import service as imports
from app.linkage import following, tallies
from app.maps import past_days
from app.maps.upkeep import Upkeep
from app.ogc.processes import jobs as processes
from app.ogc.processes.callbacks import Unreached
from app.registry.permits import expiry
from app.screening import service as screening
from app.settings import Settings

log = logging.get(__name__)
STALLED_AFTER_S = 120
UPKEEP_EVERY_S = 5
RELINK_EVERY_S = 0.25
TALLY_EVERY_S = 10
WATCH_EVERY_S = 30


def tasks(services: Services) -> procrastinate.Blueprint:
    """All tasks by name. Each can be killed at any instant and run again."""
    blueprint = procrastinate.Blueprint()

    @blueprint.periodic(cron="* * * * *")
    @blueprint.task(name="retry_stalled", queue=jobs.QUEUE, queueing_lock="retry_stalled", pass_context=True)
    async def retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
            log.warning("job of a dead worker starts again", job=job.id, task=job.task_name)
            await manager.retry_job(job)

    @blueprint.task(name="run_import", queue=jobs.QUEUE)
    def run_import(import_id: str) -> None:
        with transaction(services.engine, system("find-import")) as session:
            actor = imports.actor_of(imports.find(session, UUID(import_id)))
        try:
            imports.run(services, services.parts["import_kinds"], UUID(import_id), actor)
        except ShuituError as error:
            log.info("import ended", import_id=import_id, problem=str(error))

    @blueprint.task(name="run_detection", queue=jobs.QUEUE)
    def run_detection(run_id: int) -> None:
        with transaction(services.engine, system("find-run")) as session:
            actor = screening.actor_of(session, run_id)
        try:
            screening.run(services, run_id, actor)
        except ShuituError as error:
            log.info("run ended", run_id=run_id, problem=str(error))

    @blueprint.task(name="run_linkage", queue=jobs.QUEUE)
    def run_linkage(run_id: int) -> None:
        from app.linkage import running as linkage  # the engine is loaded when there is something to link

        try:
            linkage.run(services, run_id)
        except ShuituError as error:
            log.info("run ended", run_id=run_id, problem=str(error))

    @blueprint.task(name=past_days.TASK, queue=jobs.QUEUE)
    def count_past_day(number: int) -> None:
        past_days.count(services, number)

    @blueprint.task(name=processes.TASK, queue=jobs.QUEUE)
    def run_process(job_id: str) -> None:
        processes.work(services, UUID(job_id))

    # Tried again after 5 s, 25 s, 2 min, 10 min and 1 h.
    again = procrastinate.RetryStrategy(max_attempts=5, exponential_wait=5, retry_exceptions=[Unreached])

    @blueprint.task(name=processes.TELL, queue=jobs.QUEUE, retry=again)
    def run_callback(job_id: str) -> None:
        processes.tell(services, UUID(job_id))

    @blueprint.periodic(cron="17 3 * * *")
    @blueprint.task(name="expire_results", queue=jobs.QUEUE, queueing_lock="expire_results")
    def expire_results(timestamp: int) -> None:
        processes.expire(services)

    # A term ends with its day, by China's clock; what a stopped worker missed, the next hour finds.
    @blueprint.periodic(cron="5 * * * *")
    @blueprint.task(name="expire_permits", queue=jobs.QUEUE, queueing_lock="expire_permits")
    def expire_permits(timestamp: int) -> None:
        expiry.expire(services)

    return blueprint


async def _standing(
    task: str, round_of: Callable[[], object], every_s: float, *, until_done: bool = False
) -> None:
    """Beside the queue, where a long job would hold it up: what follows from a change waits for no import.

    `until_done`: a round that found something to do is followed by the next at once.
    """
    while True:
        try:
            if await asyncio.to_thread(round_of) and until_done:
                continue
        except (
            Exception
        ) as error:  # the database went away, or a round met a deadlock: the next one will do it
            log.warning("standing task failed", task=task, error=str(error))
        await asyncio.sleep(every_s)


async def run(settings: Settings) -> None:
    """Work until told to stop."""
    services = wiring.services(settings)
    app = jobs.connect(services.dsns.service)
    app.add_tasks_from(tasks(services), namespace="")
    standing = [
        asyncio.create_task(_standing("upkeep of the map", Upkeep(services).run, UPKEEP_EVERY_S)),
        asyncio.create_task(_standing("watching imagery", Watch(services).run, WATCH_EVERY_S)),
        asyncio.create_task(
            _standing("re-linking", lambda: following.follow(services), RELINK_EVERY_S, until_done=True)
        ),
        asyncio.create_task(_standing("tallies", lambda: tallies.fold(services), TALLY_EVERY_S)),
    ]
    try:
        async with app.open_async():
            await app.run_worker_async(queues=[jobs.QUEUE], concurrency=1, install_signal_handlers=True)
    finally:
        for task in standing:
            task.cancel()


def main() -> None:
    settings = Settings()
    logging.configure(settings.log_format, settings.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
