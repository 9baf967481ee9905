"""Callbacks (18-062r2, 13): who asked for a job is told at addresses of its own when it starts, and how it ended.

A server that posts wherever it is told to is a door into its network: only hosts that the operator allows are
called (`SHUITU_CALLBACK_HOSTS`), redirects are not followed, and what comes back is not read.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from app.errors import InvalidInput
from app.logging import get
from app.ogc.links import Addresses
from app.ogc.negotiate import JSON
from app.ogc.processes import documents
from app.ogc.processes.process import Json
from app.settings import Settings

log = get(__name__)
SUCCESS, STARTED, FAILED = NAMES = ("successUri", "inProgressUri", "failedUri")
PORTS = {"http": 80, "https": 443}
LONGEST = 2_000
TIMEOUT_S = 10.0
BUSY = (408, 425, 429)
"""Answers after which it is worth trying again, beside those from 500 on."""


class Unreached(Exception):
    """The subscriber could not be told; it may be later."""


def subscriber(settings: Settings, given: Any, base: str) -> Json | None:
    """The `subscriber` of a request, checked, with the address at which the client reached us; None without one.

    Raises InvalidInput.
    """
    if given is None:
        return None
    if not isinstance(given, dict) or SUCCESS not in given:
        raise InvalidInput(
            f"subscriber 应为含 {SUCCESS} 的对象 (subscriber is an object with {SUCCESS})", field="subscriber"
        )
    if unknown := [name for name in given if name not in NAMES]:
        raise InvalidInput(
            f"subscriber 没有成员 {unknown[0][:60]!r} (members of subscriber: {', '.join(NAMES)})",
            field=f"subscriber.{unknown[0][:60]}",
        )
    for name, address in given.items():
        _checked(settings, name, address)
    return {**given, "base": base}


def _checked(settings: Settings, name: str, address: Any) -> None:
    field = f"subscriber.{name}"
    target = _split(address)
    if target is None:
        raise InvalidInput(
            "回调地址应为 http 或 https 地址，不含账号 (a callback is an http or https address without a log-in)",
            field=field,
            value=str(address)[:100],
        )
    if not allowed(settings, address):
        raise InvalidInput(
            f"管理员未允许回调到 {target.netloc[:100]} (the operator of this service has not allowed callbacks to "
            "this host: SHUITU_CALLBACK_HOSTS)",
            field=field,
            value=address[:100],
        )


def allowed(settings: Settings, address: str) -> bool:
    """Is it an address on one of the operator's hosts? A host without a port stands for its usual one."""
    target = _split(address)
    if target is None:
        return False
    port = target.port or PORTS[target.scheme]
    names = {f"{target.hostname}:{port}"}
    if port == PORTS[target.scheme]:
        names.add(str(target.hostname))
    return not names.isdisjoint((settings.callback_hosts or "").lower().replace(",", " ").split())


def _split(address: Any) -> SplitResult | None:
    """None if it is no address that may be called."""
    if not isinstance(address, str) or len(address) > LONGEST or not address.isprintable() or " " in address:
        return None
    try:
        found = urlsplit(address)
        usable = found.scheme in PORTS and found.hostname and found.port != 0
    except ValueError:
        return None
    # A backslash is a slash to some readers of addresses and none to others.
    return found if usable and found.username is None and "\\" not in address else None


def message(record: Mapping[str, Any]) -> tuple[str, Json] | None:
    """Where to, and what: the results of a job that succeeded, the status of any other. None: nobody is to be told."""
    told: Mapping[str, str] = record["request"].get("subscriber") or {}
    name = {"running": STARTED, "successful": SUCCESS, "failed": FAILED}.get(record["status"])
    if name is None or name not in told:
        return None
    at = Addresses(told["base"])  # without the key of who asked
    if name != SUCCESS:
        return told[name], documents.status(at, JSON, record)[0]
    wanted = [one for one in record["request"]["outputs"] if one in record["results"]]
    return told[name], documents.results(at, record, wanted)


def tell(settings: Settings, record: Mapping[str, Any]) -> None:
    """Post what is to be told of the job as it stands. Raises Unreached if that may work later."""
    import httpx  # the worker's: processes that serve need not load it

    if (found := message(record)) is None:
        return
    address, body = found
    if not allowed(settings, address):  # no longer
        log.warning("callback not allowed", job=str(record["id"]), address=address)
        return
    headers = {"Content-Type": JSON, "User-Agent": "Shuitu"}
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", address, content=orjson.dumps(body), headers=headers) as answer,
        ):
            status = answer.status_code
    except httpx.HTTPError as error:
        raise Unreached(f"{address}: {error}") from None
    if status in BUSY or status >= 500:
        raise Unreached(f"{address}: {status}")
    if not 200 <= status < 300:
        log.warning("callback refused", job=str(record["id"]), address=address, status=status)
