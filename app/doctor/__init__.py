"""Is this installation sound, and if not, what mends it? Looks only; changes nothing."""

from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Identifier

from app.db.migrate import BOOTSTRAP
from app.doctor import database, machine
from app.doctor.finding import Finding
from app.settings import Settings

__all__ = ["Finding", "administrator_sql", "examine"]


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which to mend."""
    return [*machine.checks(settings), *database.checks(settings)]


def administrator_sql(settings: Settings) -> str:
    """What the administrator of an operator's database runs once, in that database."""
    urls = [url for url in (settings.database_owner_url, settings.database_url) if url]
    users = list(dict.fromkeys(str(conninfo_to_dict(url).get("user") or "") for url in urls))
    grants = []
    for user in filter(None, users):
        # The log-in works as these roles and as nothing else.
        name = Identifier(user).as_string(None)
        grants.append(f"grant shuitu_owner, shuitu_service, shuitu_map to {name};")
    if not grants:
        grants.append(
            "-- grant shuitu_owner, shuitu_service, shuitu_map to the log-in of SHUITU_DATABASE_URL;"
        )
    return "\n".join([BOOTSTRAP.read_text("utf-8").rstrip(), "", *grants, ""])
