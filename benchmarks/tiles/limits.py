"""What no server in Python can beat: one that answers the same bytes to everything, and does nothing else.

with bare("asgi", body, processes=1) as address:      # uvicorn with the smallest application
with bare("protocol", head, processes=2) as address:  # the event loop alone: no HTTP is parsed
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from benchmarks.processes import free_port, run

UP_WITHIN_S = 30
MVT = b"application/vnd.mapbox-vector-tile"


@contextmanager
def bare(kind: str, sent: bytes, processes: int) -> Iterator[str]:
    """Its address, while it runs. `sent` is the body for `asgi`, the whole answer for `protocol`."""
    port = free_port()
    with ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuitu-limit-"))) / "sent"
        file.write_bytes(sent)
        shared = _listening(port)
        for _ in range(processes):
            command = [sys.executable, "-m", "benchmarks.tiles.limits", kind, str(file)]
            run(stack, command, {"PYTHONPATH": str(Path.cwd())}, shared.fileno())
        shared.close()
        deadline = time.monotonic() + UP_WITHIN_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as one:
                    one.settimeout(UP_WITHIN_S)
                    one.sendall(b"GET / HTTP/1.1\r\nHost: limit\r\n\r\n")
                    if one.recv(16).startswith(b"HTTP/1.1"):
                        break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"the bare server ({kind}) did not come up")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"


def _listening(port: int) -> socket.socket:
    """The socket that all processes accept from: it is their standard input."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(512)
    return listening


def application(body: bytes) -> Callable[[Any, Any, Any], Awaitable[None]]:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", MVT), (b"content-encoding", b"gzip")]  # fmt: skip

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return answer


class Same(asyncio.Protocol):
    """Answers whatever arrives with the same bytes."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def connection_made(self, transport: Any) -> None:
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        self._write(self._sent)


async def _same(sent: bytes) -> None:
    served = await asyncio.get_running_loop().create_server(lambda: Same(sent), sock=socket.socket(fileno=0))
    await served.serve_forever()


def main(kind: str, file: str) -> None:
    sent = Path(file).read_bytes()
    if kind == "protocol":
        uvloop.run(_same(sent))
    else:
        # Not by uvicorn's `fd`, which takes every socket for a local one and leaves small writes waiting.
        served = uvicorn.Server(uvicorn.Config(application(sent), log_level="error", access_log=False, server_header=False, lifespan="off"))  # fmt: skip
        served.run(sockets=[socket.socket(fileno=0)])


if __name__ == "__main__":
    main(*sys.argv[1:])
