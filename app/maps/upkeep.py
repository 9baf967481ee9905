"""Standing tasks of the map, in the national scope: cells take up changes, what is old is forgotten, and what an
upgrade emptied or laid out anew is published again. Each can be killed at any instant, and run by many at once."""

import time

from app import logging
from app.actor import system
from app.db.engine import driver_of, transaction
from app.deps import Services
from app.maps import past_days
from layers import catalog
from tiles import fold, log, publish, sheets

told = logging.get(__name__)
FORGET_EVERY_S = 3600.0


class Upkeep:
    """What the worker calls every few seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._forgotten_at = 0.0

    def run(self) -> None:
        """One round of all tasks."""
        for layer in catalog.load().values():
            if layer.points is not None:
                self._published(layer.id)
                with transaction(self._services.engine, system("fold-cells")) as session:
                    fold.fold(driver_of(session), layer)
        if time.monotonic() - self._forgotten_at > FORGET_EVERY_S or not self._forgotten_at:
            self._forget()
            self._forgotten_at = time.monotonic()

    def _published(self, name: str) -> None:
        """Publish a layer whose tables were written by another declaration, or never."""
        layer = catalog.load()[name]
        with transaction(self._services.engine, system("publish")) as session:
            connection = driver_of(session)
            row = connection.execute(
                "select form, sheets from map.published where layer = %s", (name,)
            ).fetchone()
            found, of_sheets = row or ("", "")
            whole = found != publish.form(layer)
            assert layer.points is not None  # noqa: S101 - asked of big point layers
            if not whole and (layer.points.sheets is None or of_sheets == sheets.form(layer)):
                return
            began = time.monotonic()
            if whole:
                publish.rebuild(connection, layer)
            else:
                publish.rewrite_sheets(connection, layer)
        told.info(
            "map tables written anew" if whole else "sheets of features written anew",
            layer=name,
            seconds=round(time.monotonic() - began, 1),
        )

    def _forget(self) -> None:
        with transaction(self._services.engine, system("forget-touched")) as session:
            connection = driver_of(session)
            log.forget(connection)
            past_days.forget(session)
            for layer in catalog.load().values():
                if layer.points is not None:
                    fold.tidy(connection, layer)
