"""What a request must be before anything is read into the register: not too large, not too often, whole."""

import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from app.deps import CurrentActor, ServicesDep
from app.errors import UnsupportedMedia
from app.exchange.rules import NDJSON
from app.requests import whole_body

JSON = "application/json"


@dataclass
class Pace:
    """So many requests a minute an account, in this process; after a rest a burst of as many."""

    spent: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, account: str, per_minute: int) -> float:
        """0 if the request may come now, and it is counted then; else how long to wait."""
        now = time.monotonic()
        left, seen = self.spent.get(account, (float(per_minute), now))
        left = min(float(per_minute), left + (now - seen) * per_minute / 60)
        if left < 1:
            self.spent[account] = (left, now)
            return (1 - left) * 60 / per_minute
        if len(self.spent) > 10_000:
            self.spent.clear()
        self.spent[account] = (left - 1, now)
        return 0.0


pace = Pace()


def paced(actor: CurrentActor, services: ServicesDep) -> None:
    """Raises HTTPException 429 for an account that asks too often."""
    if (wait := pace.wait_s(actor.username, services.settings.exchange_per_minute)) > 0:
        raise HTTPException(
            429,
            f"请求过于频繁，每分钟最多{services.settings.exchange_per_minute}次，请 {wait:.0f} 秒后再试 "
            f"(too many requests: at most {services.settings.exchange_per_minute} a minute; wait {wait:.0f} s)",
            headers={"Retry-After": str(max(1, round(wait)))},
        )


@dataclass(frozen=True)
class Body:
    content: bytes
    media_type: str


async def batch_body(request: Request, services: ServicesDep) -> Body:
    """All of the body, of a type that is taken here. Raises UnsupportedMedia, and as `whole_body`."""
    media_type = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if media_type not in (JSON, *NDJSON):
        raise UnsupportedMedia(
            f"内容类型应为 {JSON} 或 {NDJSON[0]} (the content is JSON or NDJSON), 收到 {media_type[:60]!r}"
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia("不接受压缩的内容 (compressed content is not taken)")
    return Body(await whole_body(request, services.settings.exchange_limit_mb * 2**20), media_type)


BodyDep = Annotated[Body, Depends(batch_body)]
