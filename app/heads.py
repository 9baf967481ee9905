"""HEAD wherever there is a GET (RFC 9110, 9.3.2): FastAPI's routes know GET only."""

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadsAsGets:
    """Answers HEAD below these prefixes as GET without its content. What is streamed ends with its headers."""

    def __init__(self, app: ASGIApp, prefixes: tuple[str, ...]) -> None:
        self.app, self.prefixes = app, prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mine = (
            scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"].startswith(self.prefixes)
        )
        if not mine:
            await self.app(scope, receive, send)
            return
        with anyio.CancelScope() as rest:

            async def without_content(message: Message) -> None:
                if message["type"] != "http.response.start":
                    await anyio.lowlevel.checkpoint()  # where the rest of a stream ends
                    return
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                if not any(name == b"content-length" for name, _ in message["headers"]):
                    rest.cancel()

            await self.app({**scope, "method": "GET"}, receive, without_content)
