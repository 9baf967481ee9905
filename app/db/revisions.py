"""Which revisions of the schema this code knows, without what applies them: every serving process asks that."""

import re
from functools import cache
from pathlib import Path

VERSIONS = Path(__file__).resolve().parent / "migrations" / "versions"
NAMED = re.compile(r"^(revision|down_revision) = \"(\w+)\"$", re.MULTILINE)


@cache
def head() -> str:
    """The newest revision: the one that no other comes after. Raises ValueError if there is not just one."""
    named = [tuple(NAMED.findall(file.read_text("utf-8"))) for file in VERSIONS.glob("[0-9]*.py")]
    known = {name for file in named for role, name in file if role == "revision"}
    before = {name for file in named for role, name in file if role == "down_revision"}
    (newest,) = known - before
    return str(newest)
