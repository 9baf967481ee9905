"""Archives made on request: what to export for whom, and the making of it."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from app.deps import Services
from app.errors import ConfigurationError, Conflict, InvalidInput, NotFound, NotReady
from app.settings import Settings
from layers import catalog
from layers.model import Layer
from tiles.address import Viewer
from tiles.archives import shapes
from tiles.archives.export import AlreadyRunning, Done, NothingToExport, Order, Progress, export
from tiles.archives.names import MAP, OFFICER_FOLDER, name_of
from tiles.archives.store import Unreachable, store_at

ALL = "all"
DEFAULT_MAXZOOM = 12
"""Clients draw the last zoom larger: at 12 a position is told to 2.4 m, finer than the public is shown."""
MAX_MAXZOOM = 16
CONNECTIONS = 2


def order(settings: Settings, content: str, viewer: Viewer, maxzoom: int = DEFAULT_MAXZOOM) -> Order:
    """What to export: one layer, or `all` that the viewer sees.

    Raises NotFound for a layer that is not there, InvalidInput for one that the viewer does not see.
    """
    layers = catalog.visible_to(viewer.audience) if content == ALL else [_layer(content, viewer)]
    title, description = (
        ("水图 · Shuitu", "取水口“一张图”的全部图层。 · Every layer of the one map of water intakes.")
        if content == ALL
        else (
            f"{layers[0].title.zh} · {layers[0].title.en}",
            f"{layers[0].description.zh} · {layers[0].description.en}",
        )
    )
    review = f" 审图号：{settings.map_review_number}" if settings.map_review_number else ""
    return Order(
        name_of(MAP if content == ALL else content, viewer), tuple(sorted(layers, key=lambda one: one.order)), viewer,
        maxzoom, settings.public_accuracy_bits, title, description, f"水图 Shuitu{review}",
    )  # fmt: skip


def _layer(name: str, viewer: Viewer) -> Layer:
    found = catalog.load().get(name)
    if found is None:
        raise NotFound(f"没有图层 {name!r} (no such layer; there are {' '.join(catalog.load())}, and {ALL})")
    if found.relation_for(viewer.audience) is None:
        raise InvalidInput(
            f"图层 {name} 不公开，请用 --officer 或 --as 账号 (this layer is not public: use --officer, or --as an account)",
            field="layer",
            value=name,
        )
    return found


def require_hidden(settings: Settings, viewer: Viewer, out: Path | None) -> None:
    """Raises InvalidInput if officer fields would lie where the public may fetch them."""
    public = settings.archives_dir.resolve()
    if viewer.audience != "public" and out is not None and out.resolve().parent == public:
        raise InvalidInput(
            f"{public} 中的档案对公众开放，非公开内容请写到 {public / OFFICER_FOLDER} (archives there are public: leave --out away, or write elsewhere)",
            field="out",
            value=str(out),
        )


async def run(services: Services, wanted: Order, out: Path | None, progress: Progress) -> Done:
    """Make the archive; killed at any instant and started again, it goes on where it was.

    Raises NotFound if there is nothing to export, Conflict if another process makes the same, NotReady if the bucket
    cannot be reached, ConfigurationError if the tile builder fails.
    """
    settings = services.settings
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        services.dsns.map, min_size=1, max_size=CONNECTIONS, open=False
    )
    store = store_at(settings.archives_url, settings.archives_dir)
    try:
        async with pool:
            return await export(pool, wanted, settings.cache_dir / "exports", store, out, progress)
    except NothingToExport:
        raise NotFound(f"{wanted.name} 没有数据，未写出文件 (it is empty: no file was written)") from None
    except AlreadyRunning:
        raise Conflict(f"另一进程正在导出 {wanted.name} (another process is exporting the same)") from None
    except Unreachable as error:
        raise NotReady(f"无法写入存储: {error} (the archives' storage cannot be written to)") from None
    except shapes.BuilderFailed as error:
        raise ConfigurationError(f"瓦片构建失败 (the tile builder failed): {error}") from None
