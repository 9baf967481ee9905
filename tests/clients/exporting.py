"""The command that writes an archive, on the data of a running service."""

import json
import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import Service


def exported(service: Service, content: str, maxzoom: str) -> str:
    """The name of the archive that `shuitu tiles export` wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "app.entry", "tiles", "export", content, "--maxzoom", maxzoom, "--json"],
        env=service.environment,
        capture_output=True,
        check=True,
    )
    return Path(json.loads(done.stdout)["file"]).name
