"""The command that writes an archive, on the data of a running service."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.clients.conftest import Service


def exported(service: Service, content: str, maxzoom: str) -> str:
    """The name of the archive that `shuitu tiles export` wrote."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in service.settings.items():
            patch.setenv(name, value)
        done = CliRunner().invoke(app, ["tiles", "export", content, "--maxzoom", maxzoom, "--json"])
    assert done.exit_code == 0, done.output
    return Path(json.loads(done.stdout)["file"]).name
