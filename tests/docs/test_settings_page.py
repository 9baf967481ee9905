"""docs/settings.md names every setting with its default, and none that does not exist."""

import re
from pathlib import Path

from app.settings import ROOT, Settings

PAGE = (Path(ROOT) / "docs" / "settings.md").read_text("utf-8")
ROWS = {m[1]: m[2] for m in re.finditer(r"^\| `SHUITU_([A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)}
SPECIAL = {"DATA_DIR", "FRONTEND_DIR"}  # paths of the installation


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert ROWS.keys() == {name.upper() for name in Settings.model_fields}


def test_the_defaults_are_true() -> None:
    for name, field in Settings.model_fields.items():
        if name.upper() in SPECIAL:
            continue
        shown = ROWS[name.upper()].strip()
        assert shown == ("–" if field.default is None else f"`{field.default}`"), name
