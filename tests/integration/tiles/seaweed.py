"""A real server of the S3 protocol (SeaweedFS), for tests of archives in a bucket."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

UP_WITHIN_S = 60


def _ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def bucket(folder: Path) -> Iterator[dict[str, str]]:
    """The AWS_* variables by which the server is reached."""
    folder.mkdir(parents=True, exist_ok=True)
    account = {
        "name": "test",
        "credentials": [{"accessKey": "key", "secretKey": "secret"}],
        "actions": ["Admin"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [account]}))
    rooms = ("master", "volume", "filer", "s3")
    ports = _ports(8)
    flags = [f"-{room}.port={port}" for room, port in zip(rooms, ports[:4], strict=True)]
    flags += [f"-{room}.port.grpc={port}" for room, port in zip(rooms, ports[4:], strict=True)]
    command = [
        str(Path(sys.executable).with_name("weed")), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer",
        "-s3", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64",
        "-volume.max=8", *flags,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{ports[3]}"
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while True:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "SeaweedFS does not come up"
            try:
                # Without a signature it refuses: then it is up.
                if httpx.get(address, timeout=2).status_code == 403:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }  # fmt: skip
    finally:
        process.kill()
        process.wait()
