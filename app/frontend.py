"""The built front end: hashed assets for ever, the page itself never, any other path the page."""

import mimetypes
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.problems import ANY_PAGE, OURS, methods_at
from app.settings import Settings

TIANDITU = "https://*.tianditu.gov.cn"
MISSING = """<!doctype html><meta charset="utf-8"><title>水图</title>
<p>前端尚未构建：请在安装目录运行 <code>make frontend</code>。</p>
<p>The front end is not built: run <code>make frontend</code> in the installation.</p>"""


class _Assets(StaticFiles):
    """The built files; compressed ones lie beside them (`frontend/vite.config.ts`)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        response: Response | None = None
        for coding, suffix in (("br", ".br"), ("gzip", ".gz")):
            if coding in accepted and self.lookup_path(path + suffix)[1]:
                response = await super().get_response(path + suffix, scope)
                response.headers["Content-Encoding"] = coding
                response.headers["Content-Type"] = mimetypes.guess_type(path)[0] or "text/javascript"
                break
        response = response or await super().get_response(path, scope)
        # Vite names these files by their content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        return response


def _policy(settings: Settings) -> str:
    outside = f" {TIANDITU}" if settings.tianditu_key else ""
    return (
        f"default-src 'self'; img-src 'self' data: blob:{outside}; connect-src 'self' blob:{outside}; "
        "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'self'; "
        "base-uri 'self'; form-action 'self'; object-src 'none'"
    )


def mount(api: FastAPI, settings: Settings) -> None:
    """Serve the front end under / (last, so that every other route comes first)."""
    folder: Path = settings.frontend_dir
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _policy(settings)}
    api.mount("/assets", _Assets(directory=folder / "assets", check_dir=False), name="assets")

    @api.api_route(ANY_PAGE, methods=["GET", "HEAD"], include_in_schema=False)
    def page(path: str, request: Request) -> Response:
        if path.split("/", 1)[0] in OURS:
            if methods_at(request):  # there is something, but not for reading
                raise HTTPException(405)
            raise HTTPException(404, f"没有 /{path} (there is no /{path})")
        file = (folder / path).resolve()
        if path and file.is_relative_to(folder.resolve()) and file.is_file():
            return FileResponse(file, headers={"Cache-Control": "public, max-age=3600"})
        index = folder / "index.html"
        if not index.is_file():
            return HTMLResponse(MISSING, 503, headers=headers)
        return FileResponse(index, headers=headers)
