"""Checks inside the database: versions, schema, roles, row-level security, worker."""

from collections.abc import Iterator
from typing import Any

import psycopg

from app import supervise
from app.db import migrate, revisions
from app.db.dsns import dsns_of
from app.db.embedded import EmbeddedCluster
from app.db.engine import Dsns
from app.doctor.finding import Finding
from app.settings import Settings

OLDEST_SERVER = 150000
OLDEST_POSTGIS = (3, 3)
HEARTBEAT_S = 60
"""A worker says every ten seconds that it lives."""
ROLES = ("shuitu_owner", "shuitu_service", "shuitu_map")
ADMINISTRATOR = "请数据库管理员执行 `shuitu doctor --sql` 给出的语句 (have the database's administrator run what `shuitu doctor --sql` prints)"
Connection = psycopg.Connection[Any]

# Tables that hold rows of a region, in the two schemas that people read; the demo's mark is no such row.
REGIONAL = """
select c.oid::regclass::text, c.relrowsecurity and c.relforcerowsecurity
       and exists (select from pg_policy p where p.polrelid = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('shuitu', 'map') and c.relkind in ('r', 'p') and c.relname <> 'demo'
  and exists (select from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
              and a.attname in ('county_code', 'region_code'))
order by 1"""
# What the map role can reach beside schema map, and what it can write anywhere.
MAP_REACH = """
select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_schema_privilege('shuitu_map', n.oid, 'usage')
  and (has_table_privilege('shuitu_map', c.oid, 'insert, update, delete, truncate')
       or (n.nspname not in ('map', 'public') and has_any_column_privilege('shuitu_map', c.oid, 'select')))
order by 1"""
LEAKPROOF = """
select proname from pg_proc where proname in ('geometry_overlaps', 'geometry_within', 'geometry_contains')
  and pronargs = 2 and not proleakproof and proargtypes[0] = 'geometry'::regtype and proargtypes[1] = 'geometry'::regtype
union all
select proname from pg_proc where oid in ('textlike(text, text)'::regprocedure, 'texticlike(text, text)'::regprocedure) and not proleakproof"""


def checks(settings: Settings) -> Iterator[Finding]:
    """All checks inside the database; one finding if it cannot be reached."""
    if not settings.database_url and not EmbeddedCluster(settings.data_dir).is_running:
        yield Finding(
            "database",
            "note",
            "数据库内部 · inside the database",
            "数据库没有运行，未检查 (not running: not looked at)",
            "shuitu db start && shuitu doctor",
        )
        return
    dsns = dsns_of(settings)
    assert dsns.admin is not None  # noqa: S101 - dsns_of always names one
    try:
        connection = psycopg.connect(dsns.admin, connect_timeout=10, autocommit=True)
    except psycopg.Error as error:
        yield Finding(
            "database",
            "problem",
            "数据库 · database",
            f"无法连接 (cannot connect): {str(error).strip()}",
            "检查 SHUITU_DATABASE_URL (check SHUITU_DATABASE_URL)",
        )
        return
    with connection:
        yield server(connection)
        yield encoding(connection)
        yield from extensions(connection)
        roles_finding = roles(connection, outside=bool(settings.database_url))
        yield roles_finding
        if roles_finding.level == "problem":
            return
        reach = logins(dsns)
        yield reach
        if reach.level == "problem":
            return
        level = schema(dsns)
        yield level
        if level.level == "problem":
            return
        yield row_security(connection)
        yield unset_scope(dsns)
        yield map_role(connection)
        yield worker(dsns, running=supervise.running(settings.data_dir) is not None)


def _value(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def server(connection: Connection) -> Finding:
    version = connection.info.server_version
    says = str(_value(connection, "show server_version"))
    if version < OLDEST_SERVER:
        return Finding(
            "server",
            "problem",
            "PostgreSQL (server)",
            f"{says}，需要 15 或更高版本 (15 or later is needed)",
            "docs/operators/database.md",
        )
    return Finding("server", "ok", "PostgreSQL (server)", says)


def encoding(connection: Connection) -> Finding:
    """UTF-8, and a character type that knows Chinese: without it trigram search finds nothing."""
    title = "数据库编码 · database encoding"
    row = connection.execute(
        "select pg_encoding_to_char(encoding), datctype from pg_database where datname = current_database()"
    ).fetchone()
    assert row is not None  # noqa: S101 - we are connected to it
    says = f"{row[0]}, LC_CTYPE {row[1]}"
    if row[0] != "UTF8" or row[1] in ("C", "POSIX"):
        return Finding(
            "database-encoding",
            "problem",
            title,
            f"{says}，中文检索将失效 (Chinese search will not work)",
            "create database shuitu template template0 encoding 'UTF8' locale 'C.UTF-8'",
        )
    return Finding("database-encoding", "ok", title, says)


def extensions(connection: Connection) -> Iterator[Finding]:
    """PostGIS and trigrams, and the marks that keep bounding-box search fast under row-level security."""
    there = dict(connection.execute("select extname, extversion from pg_extension").fetchall())
    for name in ("postgis", "pg_trgm"):
        if name not in there:
            yield Finding("extensions", "problem", name, "未安装 (not installed)", ADMINISTRATOR)
            continue
        version = tuple(int(part) for part in there[name].split(".")[:2])
        if name == "postgis" and version < OLDEST_POSTGIS:
            yield Finding(
                "extensions",
                "problem",
                name,
                f"{there[name]}，需要 3.3 (3.3 is needed)",
                "alter extension postgis update",
            )
        else:
            yield Finding("extensions", "ok", name, there[name])
    if "postgis" in there and (unmarked := [row[0] for row in connection.execute(LEAKPROOF).fetchall()]):
        yield Finding(
            "leakproof",
            "note",
            "范围与名称检索 · search by box and by name",
            f"{', '.join(unmarked)} 未标记 leakproof，检索不能使用索引 (searches by box or name cannot use their index)",
            ADMINISTRATOR,
        )


def roles(connection: Connection, *, outside: bool) -> Finding:
    """The three roles exist and none can bypass row-level security."""
    title = "数据库角色 · roles"
    there = dict(
        connection.execute(
            "select rolname, rolsuper or rolbypassrls from pg_roles where rolname = any(%s)", [list(ROLES)]
        ).fetchall()
    )
    if missing := [role for role in ROLES if role not in there]:
        return Finding(
            "roles",
            "problem",
            title,
            f"没有 (missing): {', '.join(missing)}",
            ADMINISTRATOR if outside else "shuitu db migrate",
        )
    if loose := [role for role, bypasses in there.items() if bypasses]:
        return Finding(
            "roles",
            "problem",
            title,
            f"{', '.join(loose)} 可绕过行级安全 (can bypass row-level security)",
            "; ".join(f"alter role {role} nosuperuser nobypassrls" for role in loose),
        )
    return Finding(
        "roles", "ok", title, f"{', '.join(ROLES)}，均不能绕过行级安全 (none bypasses row-level security)"
    )


def logins(dsns: Dsns) -> Finding:
    """The log-in may work as each role; for the service it should be nothing more."""
    title = "登录账号 · log-in"
    for role, dsn in zip(ROLES, (dsns.owner, dsns.service, dsns.map), strict=True):
        try:
            with psycopg.connect(dsn, connect_timeout=10) as connection:
                strong = _value(
                    connection, "select rolsuper or rolbypassrls from pg_roles where rolname = session_user"
                )
        except psycopg.Error as error:
            return Finding(
                "log-in",
                "problem",
                title,
                f"不能成为 (cannot become) {role}: {str(error).strip()}",
                ADMINISTRATOR,
            )
        if strong and role != "shuitu_owner":
            return Finding(
                "log-in",
                "note",
                title,
                "SHUITU_DATABASE_URL 的账号是超级用户或可绕过行级安全 (the log-in is a superuser or bypasses row-level security)",
                "改用只属于三个角色的账号 (use one that is only a member of the three roles; docs/operators/database.md)",
            )
    return Finding("log-in", "ok", title, "可以且只以三个角色工作 (works as the three roles)")


def schema(dsns: Dsns) -> Finding:
    title = "数据库结构 · schema"
    now, newest = migrate.current(dsns), revisions.head()
    if now != newest:
        return Finding(
            "schema",
            "problem",
            title,
            f"{now or '空 empty'}，程序需要 {newest} (the program needs it)",
            "shuitu db migrate",
        )
    return Finding("schema", "ok", title, newest)


def row_security(connection: Connection) -> Finding:
    """Every table with a region is under forced row-level security with a policy."""
    title = "行级安全 · row-level security"
    tables = connection.execute(REGIONAL).fetchall()
    if open_tables := [name for name, closed in tables if not closed]:
        return Finding(
            "row-security",
            "problem",
            title,
            f"没有强制 (not forced on): {', '.join(open_tables)}",
            "; ".join(
                f"alter table {t} enable row level security, force row level security" for t in open_tables
            )
            + "；并恢复其策略 (and restore its policy: app/db/migrations/sql)",
        )
    return Finding("row-security", "ok", title, f"{len(tables)} 张表均已强制 (tables, forced on all)")


def unset_scope(dsns: Dsns) -> Finding:
    """A connection that names no jurisdiction sees nothing: tried, not only read from the catalogue."""
    title = "未设辖区 · no jurisdiction"
    seen = []
    for dsn, schemas in ((dsns.service, ("shuitu", "map")), (dsns.map, ("map",))):
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            for table, _ in connection.execute(REGIONAL).fetchall():
                if table.split(".")[0] in schemas and _value(
                    connection, f"select exists (select from {table})"
                ):
                    seen.append(table)
    if seen:
        return Finding(
            "unset-scope",
            "problem",
            title,
            f"未设辖区也能读到 (can be read without a jurisdiction): {', '.join(sorted(set(seen)))}",
            "检查这些表的策略 (check the policies of these tables: app/db/migrations/sql)",
        )
    return Finding("unset-scope", "ok", title, "读不到任何登记数据 (no register row can be read)")


def map_role(connection: Connection) -> Finding:
    """The role behind the map reads schema map and nothing else."""
    title = "地图角色 · map role"
    if reach := [row[0] for row in connection.execute(MAP_REACH).fetchall()]:
        return Finding(
            "map-role",
            "problem",
            title,
            f"shuitu_map 权限过大 (has too many rights): {', '.join(reach)}",
            "; ".join(f"revoke all on {name} from shuitu_map, public" for name in reach),
        )
    return Finding("map-role", "ok", title, "只读 map 模式 (reads schema map, and only reads)")


def worker(dsns: Dsns, *, running: bool) -> Finding:
    """A worker lives, where the service runs or jobs wait."""
    title = "后台任务 · worker"
    with psycopg.connect(dsns.service) as connection:
        age = _value(
            connection,
            "select extract(epoch from now() - max(last_heartbeat)) from jobs.procrastinate_workers",
        )
        waiting = _value(connection, "select count(*) from jobs.procrastinate_jobs where status = 'todo'")
    if age is not None and age < HEARTBEAT_S:
        return Finding(
            "worker",
            "ok",
            title,
            f"{float(age):.0f} 秒前有心跳，{waiting} 个任务等待 (heartbeat seconds ago; jobs waiting)",
        )
    if running or waiting:
        return Finding(
            "worker",
            "problem",
            title,
            f"没有后台进程，{waiting} 个任务等待 (no worker lives; jobs wait)",
            "shuitu stop && shuitu start --detach，或 (or) shuitu worker",
        )
    return Finding("worker", "note", title, "没有运行 (not running)", "shuitu start")
