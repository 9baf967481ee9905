"""Where the database is, by the settings."""

from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns, as_role, external
from app.settings import Settings


def dsns_of(settings: Settings) -> Dsns:
    """Connection strings: of the operator's database, or of the private cluster (which must run)."""
    if settings.database_url:
        return external(settings.database_url, settings.database_owner_url)
    cluster = EmbeddedCluster(settings.data_dir)
    return Dsns(
        owner=as_role(cluster.dsn("shuitu_owner"), "shuitu_owner"),
        service=as_role(cluster.dsn("shuitu_service"), "shuitu_service"),
        map=as_role(cluster.dsn("shuitu_map"), "shuitu_map"),
        admin=cluster.dsn("postgres"),
    )
