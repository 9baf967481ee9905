"""Keep a system of your own in step with Shuitu: push a CSV, pull changes into SQLite, go on after any break.

    export EXCHANGE_URL=https://map.example.gov.cn EXCHANGE_KEY=sk_…
    python shuitu_exchange.py push intakes intakes.csv
    python shuitu_exchange.py pull register.sqlite

Needs Python 3.11 and httpx, nothing of Shuitu itself. Take it, change it, build on it.
"""

import argparse
import csv
import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

BATCH = 500
TRIES = 6
NUMBERS = {
    "lon",
    "lat",
    "annual_volume_m3",
    "daily_m3",
    "design_flow_m3s",
    "flow_m3s",
    "well_depth_m",
    "county_code",
}
LISTS = {"permit_nos", "intake_codes"}
TABLES = """
create table if not exists entries (layer text, id integer, number text, version integer, county_code integer, entity text,
                                    primary key (layer, id));
create table if not exists links (permit_no text, code text, valid_from text, valid_to text, origin text);
create index if not exists links_of on links (code);
create table if not exists cursor (next text);
"""


def asked(client: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """The answer to a request. A lost connection, 429 and 503 are tried again: that is safe for reading, and for a
    batch with its key. Any other refusal ends the program with the server's sentence."""
    for number in range(TRIES):
        try:
            answer = client.request(method, path, **more)
        except httpx.TransportError as error:
            problem, wait = str(error), 2.0**number
        else:
            if answer.is_success:
                return answer.json()
            if answer.status_code not in (429, 502, 503, 504):
                sys.exit(f"{answer.status_code}: {answer.json().get('detail', answer.text)}")
            problem, wait = (
                f"HTTP {answer.status_code}",
                float(answer.headers.get("Retry-After", 2.0**number)),
            )
        print(f"{problem}; again in {wait:.0f} s", file=sys.stderr)
        time.sleep(wait)
    sys.exit(f"no answer after {TRIES} tries: {problem}")


# ── push ────────────────────────────────────────────────────────────────────────────────────────────


def items_of(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV whose headings are Shuitu's field names."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            yield {name: typed(name, text.strip()) for name, text in row.items() if text and text.strip()}


def typed(name: str, text: str) -> Any:
    if name in LISTS:
        return text.split(";")
    return float(text) if name in NUMBERS else text


def push(client: httpx.Client, layer: str, file: Path) -> int:
    """Send a file in batches; returns how many rows were rejected. Begun again, it does nothing twice."""
    items, rejected = list(items_of(file)), 0
    for start in range(0, len(items), BATCH):
        body = json.dumps(items[start : start + BATCH], ensure_ascii=False).encode()
        # The same batch has the same key, in this run or the next.
        key = f"{file.name}-{start}-{hashlib.sha256(body).hexdigest()[:16]}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        told = asked(client, "POST", f"/api/exchange/{layer}", content=body, headers=headers)
        for one in told["results"]:
            for problem in one["problems"]:
                print(f"row {start + one['item']}: {problem['field']}: {problem['detail']}", file=sys.stderr)
        counts = {name: told[name] for name in ("created", "updated", "unchanged", "rejected")}
        print(json.dumps({"rows": f"{start + 1}–{start + told['received']}", **counts}, ensure_ascii=False))
        rejected += told["rejected"]
    return rejected


# ── pull ────────────────────────────────────────────────────────────────────────────────────────────


def pull(client: httpx.Client, store: sqlite3.Connection, *, follow: bool) -> int:
    """Bring the store up to the register; with `follow` stay and wait for more. Returns how many entries came."""
    store.executescript(TABLES)
    kept = store.execute("select next from cursor").fetchone()
    cursor, came = (kept[0] if kept else None), 0
    while True:
        query = {"limit": 500, "wait": 25 if follow else 0, **({"cursor": cursor} if cursor else {})}
        page = asked(client, "GET", "/api/exchange/changes", params=query)
        # One transaction for the page and its cursor: after a break it is either all there, or asked for again.
        with store:
            for item in page["items"]:
                keep(store, item)
            store.execute("delete from cursor")
            store.execute("insert into cursor values (?)", (page["next"],))
        cursor = page["next"]
        came += len(page["items"])
        if page["items"]:
            print(json.dumps({"entries": came}))
        if not page["more"] and not follow:
            return came


def keep(store: sqlite3.Connection, item: dict[str, Any]) -> None:
    """Put an entry in the place of what was known of it; what is gone is forgotten with its links."""
    entity = item["intake"] or item["permit"]
    this = (item["layer"], item["id"])
    if item["layer"] == "intakes":
        store.execute(
            "delete from links where code in (select number from entries where layer = ? and id = ?)", this
        )
    if entity is None:
        store.execute("delete from entries where layer = ? and id = ?", this)
        return
    number = entity.get("code") or entity["permit_no"]
    row = (*this, number, entity["version"], entity["county_code"], json.dumps(entity, ensure_ascii=False))
    store.execute("insert or replace into entries values (?, ?, ?, ?, ?, ?)", row)
    if item["layer"] == "intakes":
        store.executemany(
            "insert into links values (:permit_no, :code, :valid_from, :valid_to, :origin)", entity["permits"]
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pushing = commands.add_parser("push", help="send a CSV")
    pushing.add_argument("layer", choices=("intakes", "permits"))
    pushing.add_argument("file", type=Path)
    pulling = commands.add_parser("pull", help="bring a SQLite file up to the register")
    pulling.add_argument("store", type=Path)
    pulling.add_argument("--follow", action="store_true", help="stay and wait for changes")
    given = parser.parse_args()
    headers = {"X-API-Key": os.environ["EXCHANGE_KEY"]}
    with httpx.Client(base_url=os.environ["EXCHANGE_URL"], headers=headers, timeout=60) as client:
        if given.command == "push":
            sys.exit(1 if push(client, given.layer, given.file) else 0)
        with sqlite3.connect(given.store) as store:
            pull(client, store, follow=given.follow)


if __name__ == "__main__":
    main()
