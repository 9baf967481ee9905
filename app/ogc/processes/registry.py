"""The processes that are offered."""

from app.ogc.processes import detecting, exporting, linking
from app.ogc.processes.process import Process

PROCESSES: dict[str, Process] = {
    one.id: one for one in (exporting.PROCESS, detecting.PROCESS, linking.PROCESS)
}
