"""The web server's parent process. It imports nothing of the service: its own processes do."""

import gc

# Until everything is loaded, in this process and in those that it spawns: what is loaded stays, and to search it
# for garbage again and again takes a fifth of the start. `run` and `app.web` turn it on.
gc.disable()

# ruff: noqa: E402
import os

import uvicorn

from app import logging
from app.db.embedded import EmbeddedCluster
from app.settings import Settings


def run(settings: Settings) -> None:
    """Serve until told to stop. The private database is started where it is used."""
    metrics = settings.data_dir / "metrics"
    metrics.mkdir(parents=True, exist_ok=True)
    for old in metrics.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    if not settings.database_url:
        EmbeddedCluster(settings.data_dir).start()
    if settings.processes > 1:  # else this process is the one that `app.web` is about to fill
        gc.freeze()
        gc.enable()
    uvicorn.run(
        "app.web:service",
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


def main() -> None:
    """`python -m app.serve`: what the supervisor starts."""
    settings = Settings()
    logging.configure(settings.log_format, settings.log_level)
    run(settings)


if __name__ == "__main__":
    main()
