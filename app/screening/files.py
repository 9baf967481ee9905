"""Files that a run wrote, as answers."""

from typing import Any

from fastapi.responses import FileResponse

from app.deps import Services
from app.errors import NotFound

PRIVATE = {"Cache-Control": "private, max-age=3600"}


def kept(services: Services, stored: str | None, media_type: str, headers: dict[str, Any]) -> FileResponse:
    """The file at a path below the data folder. Raises NotFound if it is not there."""
    path = services.settings.data_dir / stored if stored else None
    if path is None or not path.is_file():
        raise NotFound("文件不存在 (there is no such file)")
    return FileResponse(path, media_type=media_type, headers=headers)
