"""Structured logs: events with fields, a request id everywhere, personal data nowhere."""

import logging
import sys

import structlog


def configure(log_format: str, level: str) -> None:
    """Send structlog and the standard library's loggers through one chain to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
        final: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, renderer]
    else:
        # Plain tracebacks: rich ones show the values of variables, keys of clients among them, and take a minute to draw.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        final = [renderer]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Access lines are written by our own middleware, with the request id.
    logging.getLogger("uvicorn.access").disabled = True
    if level != "debug":
        # Three lines for each standing task, each minute.
        logging.getLogger("procrastinate").setLevel("WARNING")
        # One for each file written.
        logging.getLogger("pyogrio").setLevel("WARNING")


def get(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
