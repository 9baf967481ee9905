"""The demo's log-ins. Their passwords are made at random and kept, readable by the owner only, to be shown again."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.access import service as access
from app.actor import Jurisdiction, Role
from app.errors import Conflict
from app.regions.codes import BASINS

FILE = "accounts.json"


@dataclass(frozen=True)
class DemoAccount:
    """One log-in, as it is shown to the person who started the demo."""

    username: str
    password: str
    role: Role
    jurisdiction: str
    display_name: str


PLANNED = (
    ("admin", Role.ADMIN, "", "全国 · nation", "示例 · 全国管理员"),
    ("jiangsu", Role.OFFICER, "32", "江苏省 320000", "示例 · 江苏省"),
    ("huaiwei", Role.OFFICER, "淮委", "淮委 · basin agency", "示例 · 淮河水利委员会"),
    ("yangzhou", Role.OFFICER, "3210", "扬州市 321000", "示例 · 扬州市"),
    ("gaoyou", Role.OFFICER, "321084", "高邮市 321084", "示例 · 高邮市"),
    ("analyst", Role.ANALYST, "3210", "扬州市 321000", "示例 · 遥感分析"),
    ("viewer", Role.VIEWER, "3210", "扬州市 321000", "示例 · 只读"),
)


def make(session: Session, folder: Path) -> list[DemoAccount]:
    """Create the accounts, or give those of an interrupted load new passwords, and keep the list in `folder`."""
    made = []
    for username, role, prefix, where, title in PLANNED:
        password = secrets.token_urlsafe(9)
        jurisdiction = _jurisdiction(prefix)
        try:
            access.add_user(session, username, password, role, jurisdiction, title)
        except Conflict:
            access.set_password(session, username, password)
        made.append(DemoAccount(username, password, role, where, title))
    path = folder / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps([asdict(one) for one in made], ensure_ascii=False, indent=1), "utf-8")
    return made


def _jurisdiction(named: str) -> Jurisdiction:
    """Of a GB/T 2260 prefix, or the short name of a basin agency; of nothing, the nation."""
    if not named:
        return Jurisdiction.nation()
    basin = next((int(number) for number, (short, _) in BASINS.items() if short == named), None)
    return Jurisdiction.of_region(named) if basin is None else Jurisdiction.of_basin(basin)


def kept(folder: Path) -> list[DemoAccount]:
    """The accounts of an earlier load; none if the list is gone (passwords may have been changed since)."""
    path = folder / FILE
    if not path.exists():
        return []
    return [DemoAccount(**{**one, "role": Role(one["role"])}) for one in json.loads(path.read_text("utf-8"))]
