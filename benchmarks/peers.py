"""Servers that people install today, started over the same PostGIS as ours, for comparison in the same run.

Each is a context manager: it starts the server on a free loopback port, waits until it answers, and always kills
what it started. Python's peers live in environments of their own, made with uv below a folder that stays
(`--peers DIR`); MapServer and nginx are Debian's (`apt-get install --no-install-recommends cgi-mapserver nginx-light`).

    folder = peers.folder_of(given.peers)
    table = peers.plain_table(dsns.admin)                  # once; used again when the count is the same
    with peers.started(peers.TIPG, table, folder, processes=2) as tipg, httpx.Client() as client:
        client.get(tipg.tile_url(10, 845, 412))

A peer that cannot be had raises `Missing`, with a sentence that says why: print it beside the figures. `each`
yields those that can be had, and says on standard error which could not.
"""

import json
import os
import re
import socket
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.processes import Missing, Running, environment, free_port, nginx, program, run, tool, wait

COLLECTION = "intakes"
SCHEMA = "peer"
FIELDS = ("id", "code", "name", "source_type", "permit_state", "county_code", "volume")
"""The seven fields that every peer serves, in tiles and in features."""


@dataclass(frozen=True)
class Table:
    """The plain table that the peers serve: seven fields, EPSG:4326, a GiST index, in the order of arrival."""

    dsn: str
    rows: int
    name: str = f"{SCHEMA}.{COLLECTION}"

    @property
    def connection(self) -> dict[str, str]:
        """libpq's parameters: host (maybe a socket's folder), port, dbname, user, password."""
        given = {key: str(value) for key, value in conninfo_to_dict(self.dsn).items() if value is not None}
        return {"host": "localhost", "port": "5432", "user": "postgres", "password": ""} | given


@dataclass(frozen=True)
class Peer:
    """A running server, and where it has what we compare."""

    name: str
    version: str
    address: str
    """`http://127.0.0.1:PORT`, without a slash at the end."""
    tile: str = ""
    """Path of a vector tile with {z} {x} {y}; empty: it has none."""
    items: str = ""
    """Path of the features, to which parameters are added; empty: it has none."""
    pids: Callable[[], list[int]] = field(default=list)
    """The processes that serve, for measuring their memory."""

    def tile_url(self, z: int, x: int, y: int) -> str:
        return self.address + self.tile.format(z=z, x=x, y=y)

    def items_url(self, **parameters: object) -> str:
        """Parameters by their OGC API names: limit, offset, bbox (a string), …"""
        joint = "&" if "?" in self.items else "?"
        return (
            self.address
            + self.items
            + joint
            + urllib.parse.urlencode({k: str(v) for k, v in parameters.items()})
        )


def folder_of(given: Path | None) -> Path:
    """Where the peers' environments stay: the folder given, or one in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = given or cache / "shuitu-peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def plain_table(admin_dsn: str) -> Table:
    """Make the plain table from the register, unless it is there with as many rows.

    `admin_dsn` is of a login that reads past row-level security, as the peers have none.
    """
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        row = connection.execute("select count(*) from shuitu.intakes").fetchone()
        rows = int(row[0]) if row else 0
        known = connection.execute("select to_regclass(%s)", (f"{SCHEMA}.{COLLECTION}",)).fetchone()
        if known and known[0]:
            there = connection.execute(f"select count(*) from {SCHEMA}.{COLLECTION}".encode()).fetchone()
            if there and there[0] == rows:
                return Table(admin_dsn, rows)
        with connection.transaction():
            connection.execute(f"create schema if not exists {SCHEMA}".encode())
            connection.execute(f"drop table if exists {SCHEMA}.{COLLECTION}".encode())
            connection.execute("set local maintenance_work_mem = '1GB'")
            connection.execute(
                f"create table {SCHEMA}.{COLLECTION} as select id, code, name, source_type, permit_state, county_code, "
                "annual_volume_m3::float8 as volume, st_setsrid(geom, 4326)::geometry(Point, 4326) as geom "
                "from shuitu.intakes order by id".encode()
            )
            connection.execute(f"alter table {SCHEMA}.{COLLECTION} add primary key (id)".encode())
            connection.execute(f"create index on {SCHEMA}.{COLLECTION} using gist (geom)".encode())
        connection.execute(f"vacuum analyze {SCHEMA}.{COLLECTION}".encode())
    return Table(admin_dsn, rows)


# ── the peers ───────────────────────────────────────────────────────────────────────────────────────

Starter = Callable[[Table, Path, int, ExitStack], Peer]


def _tipg(table: Table, folder: Path, processes: int, stack: ExitStack) -> Peer:
    python, version = environment(folder, "tipg", "tipg==1.6.1", "uvicorn", "uvloop", "httptools")
    c, port = table.connection, free_port()
    login = urllib.parse.quote(c["user"], safe="") + (
        f":{urllib.parse.quote(c['password'], safe='')}" if c["password"] else ""
    )
    # A socket's folder passes as a host when it is quoted.
    place = f"{urllib.parse.quote(c['host'], safe='')}:{c['port']}"
    told = {
        "DATABASE_URL": f"postgresql://{login}@{place}/{c['dbname']}",
        "TIPG_DB_SCHEMAS": json.dumps([SCHEMA]),
        "TIPG_DB_TABLES": json.dumps([table.name]),
        "TIPG_CATALOG_TTL": "86400",
        "WEB_CONCURRENCY": str(processes),
    }
    server = run(
        stack,
        [python, "-m", "uvicorn", "tipg.main:app", "--port", str(port), "--log-level", "error"],
        told,
    )
    peer = _peer(
        "tipg",
        version,
        port,
        f"/collections/{table.name}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}",
        f"/collections/{table.name}/items?f=geojson",
        server,
    )
    wait(server, peer.address, f"/collections/{table.name}")
    return peer


def _pygeoapi(table: Table, folder: Path, processes: int, stack: ExitStack) -> Peer:
    python, version = environment(
        folder, "pygeoapi", "pygeoapi==0.21.*", "uvicorn", "uvloop", "httptools", "starlette", "sqlalchemy",
        "geoalchemy2", "psycopg2-binary",
    )  # fmt: skip
    c, port = table.connection, free_port()
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuitu-pygeoapi-")))
    data = {"host": c["host"], "port": int(c["port"]), "dbname": c["dbname"], "user": c["user"], "password": c["password"], "search_path": [SCHEMA, "public"]}  # fmt: skip
    source = {"data": data, "id_field": "id", "table": COLLECTION, "geom_field": "geom"}
    english = {"en": COLLECTION}
    configuration = {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port}, "url": f"http://127.0.0.1:{port}", "mimetype": "application/json",
            "encoding": "utf-8", "gzip": True, "languages": ["en"], "limits": {"default_items": 10, "max_items": 10_000},
            "map": {"url": "about:blank", "attribution": "none"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {"title": english, "description": english, "keywords": {"en": ["intakes"]}, "keywords_type": "theme", "terms_of_service": "none", "url": "about:blank"},
            "license": {"name": "none", "url": "about:blank"}, "provider": {"name": "none", "url": "about:blank"}, "contact": {"name": "none"},
        },
        "resources": {
            COLLECTION: {
                "type": "collection", "title": english, "description": english, "keywords": {"en": ["intakes"]}, "links": [],
                "extents": {"spatial": {"bbox": [73, 3, 136, 54], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}},
                "providers": [
                    {"type": "feature", "name": "PostgreSQL", **source},
                    {"type": "tile", "name": "MVT-postgresql", **source, "options": {"zoom": {"min": 0, "max": 16}}, "format": {"name": "pbf", "mimetype": "application/vnd.mapbox-vector-tile"}},
                ],
            }
        },
    }  # fmt: skip
    config, openapi = place / "config.yml", place / "openapi.yml"
    config.write_text(json.dumps(configuration))  # YAML holds JSON
    told = {
        "PYGEOAPI_CONFIG": str(config),
        "PYGEOAPI_OPENAPI": str(openapi),
        "WEB_CONCURRENCY": str(processes),
    }
    tool(
        [str(Path(python).parent / "pygeoapi"), "openapi", "generate", str(config), "--output-file", str(openapi)],
        **told,
    )  # fmt: skip
    server = run(
        stack,
        [python, "-m", "uvicorn", "pygeoapi.starlette_app:APP", "--port", str(port), "--log-level", "error"],
        told,
    )
    peer = _peer(
        "pygeoapi",
        version,
        port,
        f"/collections/{COLLECTION}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt",
        f"/collections/{COLLECTION}/items?f=json",
        server,
    )
    wait(server, peer.address, f"/collections/{COLLECTION}?f=json")
    return peer


MAP_FILE = """MAP
  NAME "peer"
  EXTENT 73 3 136 54
  PROJECTION "init=epsg:3857" END
  IMAGETYPE "mvt"
  OUTPUTFORMAT NAME "mvt" DRIVER "MVT" FORMATOPTION "EXTENT=4096" FORMATOPTION "EDGE_BUFFER=0" END
  WEB METADATA
    "ows_title" "peer"  "ows_enable_request" "*"  "ows_onlineresource" "{address}/"  "oga_onlineresource" "{address}/peer/ogcapi"
    "ows_srs" "EPSG:4326 EPSG:3857"
  END END
  LAYER
    NAME "intakes"  TYPE POINT  STATUS ON  TEMPLATE "none"
    CONNECTIONTYPE POSTGIS  CONNECTION "{connection}"
    DATA "geom from {table} using unique id using srid=4326"
    PROCESSING "CLOSE_CONNECTION=DEFER"
    PROJECTION "init=epsg:4326" END
    EXTENT 73 3 136 54
    METADATA
      "ows_title" "intakes"  "gml_include_items" "{fields}"  "gml_types" "auto"  "ows_featureid" "id"  "gml_featureid" "id"
      "oga_max_limit" "10000"  "wfs_maxfeatures" "10000"
    END
    CLASS STYLE SIZE 1 END END
  END
END
"""


def _mapserver(table: Table, folder: Path, processes: int, stack: ExitStack) -> Peer:
    mapserv = program("mapserv", "cgi-mapserver", "/usr/lib/cgi-bin/mapserv")
    version = (re.search(r"version (\S+)", tool([mapserv, "-v"])) or ["", "?"])[1]
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuitu-mapserver-")))
    port = free_port()
    c = {key: value for key, value in table.connection.items() if value}
    map_file, config, queue = place / "peer.map", place / "mapserver.conf", place / "queue"
    map_file.write_text(
        MAP_FILE.format(
            address=f"http://127.0.0.1:{port}",
            connection=" ".join(f"{key}={value}" for key, value in c.items()),
            table=table.name,
            fields=",".join(FIELDS),
        )
    )
    config.write_text(
        f'CONFIG\n ENV\n  MS_MAP_PATTERN "."\n  OGCAPI_HTML_TEMPLATE_DIRECTORY "/usr/share/mapserver/ogcapi/templates/html-bootstrap4/"\n'
        f' END\n MAPS\n  peer "{map_file}"\n END\nEND\n'
    )
    # FastCGI's way: every process accepts from the one socket that is its standard input.
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(queue))
    listening.listen(128)
    queue.chmod(0o777)
    place.chmod(0o755)
    workers = [
        run(stack, [mapserv], {"MAPSERVER_CONFIG_FILE": str(config)}, listening.fileno())
        for _ in range(processes)
    ]
    listening.close()
    # nginx's process runs as the same user where we are not root; where we are, it is told to.
    passed = "".join(
        f"fastcgi_param {name} ${value};"
        for name, value in (
            ("QUERY_STRING", "query_string"), ("REQUEST_METHOD", "request_method"), ("CONTENT_TYPE", "content_type"),
            ("CONTENT_LENGTH", "content_length"), ("SERVER_NAME", "server_name"), ("SERVER_PORT", "server_port"),
            ("SERVER_PROTOCOL", "server_protocol"), ("PATH_INFO", "uri"), ("HTTP_HOST", "http_host"),
        )
    )  # fmt: skip
    location = f'location / {{ fastcgi_pass unix:{queue}; fastcgi_param SCRIPT_NAME ""; {passed} }}'
    types = "gzip_types application/vnd.mapbox-vector-tile application/x-protobuf application/json application/geo+json;"
    server = nginx(stack, place, port, f"gzip on; gzip_proxied any; {types} {location}", 1)
    peer = Peer(
        "MapServer",
        version,
        f"http://127.0.0.1:{port}",
        f"/?map={urllib.parse.quote(str(map_file), safe='')}&mode=tile&tilemode=gmap&layers=intakes&map.imagetype=mvt&tile={{x}}+{{y}}+{{z}}",
        "/peer/ogcapi/collections/intakes/items?f=json",
        lambda: [pid for one in (*workers, server) for pid in one.pids],
    )
    wait(server, peer.address, "/peer/ogcapi/collections/intakes?f=json")
    return peer


TIPG, PYGEOAPI, MAPSERVER = "tipg", "pygeoapi", "MapServer"
STARTERS: dict[str, Starter] = {TIPG: _tipg, PYGEOAPI: _pygeoapi, MAPSERVER: _mapserver}


def _peer(name: str, version: str, port: int, tile: str, items: str, server: Running) -> Peer:
    return Peer(name, version, f"http://127.0.0.1:{port}", tile, items, lambda: server.pids)


@contextmanager
def started(name: str, table: Table, folder: Path, processes: int = 2) -> Iterator[Peer]:
    """This peer over this table, once it answers. Raises Missing if it cannot be had or does not come up."""
    with ExitStack() as stack:
        yield STARTERS[name](table, folder, processes, stack)


def each(
    names: Iterable[str], table: Table, folder: Path, processes: int = 2, missing: list[str] | None = None
) -> Iterator[Peer]:
    """The peers in turn, each running alone while it is yielded; those that cannot be had are told and noted."""
    for name in names:
        with ExitStack() as stack:
            try:
                peer = STARTERS[name](table, folder, processes, stack)
            except Missing as reason:
                print(f"{name}: 无法取得 · could not be had: {reason}", file=sys.stderr, flush=True)
                if missing is not None:
                    missing.append(f"{name}: {reason}")
                continue
            yield peer


@contextmanager
def files(folder: Path, processes: int = 2, extra: str = "") -> Iterator[Peer]:
    """nginx serving a folder of files: the limit for anything kept. `extra` goes into its `server` block, for
    example `types {} default_type application/vnd.mapbox-vector-tile; add_header Content-Encoding gzip;`."""
    version = (re.search(r"nginx/(\S+)", tool([program("nginx", "nginx-light"), "-v"])) or ["", "?"])[1]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuitu-nginx-")))
        port = free_port()
        body = f"root {folder.resolve()}; open_file_cache max=10000; {extra}"
        server = nginx(stack, place, port, body, processes)
        peer = _peer("nginx", version, port, "", "", server)
        wait(server, peer.address, "/")
        yield peer
