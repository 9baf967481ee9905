"""The watched folder: scenes that are put into the data folder's `imagery` come on file by themselves."""

import time
from pathlib import Path

from app.actor import system
from app.deps import Services
from app.imagery import gathering, service
from app.logging import get

log = get(__name__)
SETTLED_S = 20
"""Nothing written for so long: the copy is over."""


class Watch:
    """Looks at the folder's entries, and at each again only when something in it was written."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._folder = services.settings.imagery_dir
        self._seen: dict[Path, float] = {}

    def run(self) -> int:
        """One round; returns how many scenes came on file or were brought up to date."""
        if not self._folder.is_dir():
            return 0
        count = 0
        for entry in sorted(self._folder.iterdir()):
            written = _written(entry)
            if self._seen.get(entry) == written or time.time() - written < SETTLED_S:
                continue
            self._seen[entry] = written
            count += self._take(entry)
        return count

    def _take(self, entry: Path) -> int:
        added, unusable = service.store_all(self._services, system("imagery"), gathering.in_folder(entry))
        for one in unusable:
            log.warning("not a scene that can be used", name=one.name, problem=one.problem)
        for scene in added:
            log.info("scene on file", **scene)
        return len(added)


def _written(entry: Path) -> float:
    """The last write at or below an entry."""
    files = [entry, *entry.rglob("*")] if entry.is_dir() else [entry]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
