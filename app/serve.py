"""The web server's parent process. It imports nothing of the service: its own processes do."""

import gc
import os
from typing import TYPE_CHECKING

import uvicorn

from app import logging
from app.db.embedded import EmbeddedCluster
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def run(settings: Settings) -> None:
    """Serve until told to stop. The private database is started where it is used."""
    metrics = settings.data_dir / "metrics"
    metrics.mkdir(parents=True, exist_ok=True)
    for old in metrics.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    if not settings.database_url:
        EmbeddedCluster(settings.data_dir).start()
    uvicorn.run(
        "app.serve:service",
        factory=True,
        http="app.hotline:TilesFirst",
        host=settings.host,
        port=settings.port,
        workers=settings.processes,
        log_config=None,
        access_log=False,
        proxy_headers=True,
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=60,  # a process that still imports is not dead
    )


def service() -> "ASGIApp":
    """The service, in a process of its own. What is loaded stays: nobody searches it for garbage, neither meanwhile nor
    later, when that would hold up answers for a tenth of a second."""
    gc.disable()
    from app.main import create

    made = create()
    gc.freeze()
    gc.enable()
    return made


def main() -> None:
    """`python -m app.serve`: what the supervisor starts."""
    settings = Settings()
    logging.configure(settings.log_format, settings.log_level)
    run(settings)


if __name__ == "__main__":
    main()
