"""Streams end when the process is told to stop, not when its patience with them runs out.

A web server waits for open answers before it shuts the application down, and a stream of events is an
answer that never ends; so the streams hear of the signal before the server does.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def told_of_signals(stop: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT run `stop` on this loop first; whoever handled them handles them still."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for main threads (a server in a test has none)
        return
    loop = asyncio.get_running_loop()
    begun: set[asyncio.Future[Any]] = set()

    def handler_after(former: Any) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(lambda: begun.add(asyncio.ensure_future(stop())))
            if callable(former):
                former(number, frame)

        return handle

    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number, handler in former.items():
        signal.signal(number, handler_after(handler))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
