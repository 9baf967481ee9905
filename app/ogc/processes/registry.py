"""The processes that are offered. Matching of permits and intakes joins them when it exists."""

from app.ogc.processes import detecting, exporting
from app.ogc.processes.process import Process

PROCESSES: dict[str, Process] = {one.id: one for one in (exporting.PROCESS, detecting.PROCESS)}
