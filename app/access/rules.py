"""What a password and a key must be, and how fast one may guess. Plain values in, plain values out."""

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field

from app.errors import InvalidInput

PASSWORD_MIN = 10
KEY_PREFIX = "sk"
TRIES, TRIES_WINDOW_S = 10, 300.0
"""So many failed log-ins of one name from one address, then a pause. A guess of 2026-11; no standard names it."""


def check_password(password: str) -> str:
    """Raises InvalidInput unless the password is long enough (GB/T 22239 asks for complexity; length serves it)."""
    if len(password) < PASSWORD_MIN or len(set(password)) < 5:
        raise InvalidInput(
            f"口令至少 {PASSWORD_MIN} 个字符，且不少于5种字符 (a password has at least {PASSWORD_MIN} characters, 5 of them different)",
            field="password",
            expected=f"≥ {PASSWORD_MIN}",
        )
    return password


def hashed(token: str) -> bytes:
    """What is stored of a token: tokens are random, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).digest()


def new_session_token() -> str:
    return secrets.token_urlsafe(32)


def new_api_key() -> tuple[str, str]:
    """A key's prefix (stored, shown in lists) and the whole key (shown once)."""
    prefix = f"{KEY_PREFIX}_{secrets.token_hex(4)}"
    return prefix, f"{prefix}_{secrets.token_urlsafe(32)}"


def prefix_of(key: str) -> str:
    """The stored prefix of a key; anything else gives a prefix that no key has."""
    return "_".join(key.split("_")[:2])


@dataclass
class Throttle:
    """Counts failures a (name, address) in this process; a success forgets them."""

    failures: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def wait_s(self, name: str, address: str) -> float:
        """How long to wait before the next try; 0 if it may come now."""
        times = self.failures.get((name, address))
        now = time.monotonic()
        while times and now - times[0] > TRIES_WINDOW_S:
            times.popleft()
        return 0.0 if not times or len(times) < TRIES else TRIES_WINDOW_S - (now - times[0])

    def failed(self, name: str, address: str) -> None:
        if len(self.failures) > 10_000:
            self.failures.clear()
        self.failures.setdefault((name, address), deque()).append(time.monotonic())

    def succeeded(self, name: str, address: str) -> None:
        self.failures.pop((name, address), None)
