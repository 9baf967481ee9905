"""Many scenes: what fails leaves the rest alone, and it does not matter who works on a place."""

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from rasterio.transform import Affine, from_origin

from remote_sensing import compare, runs, strips
from remote_sensing.options import Options
from remote_sensing.scene import Band, Scene, open_scenes
from remote_sensing.search import find

LAND, POND = (800, 900, 1100, 2600), (500, 600, 400, 150)
OPTIONS = Options(kinds=("water_body",))


def write(path: Path, east: float = 500_000.0, ponds: int = 2, size: int = 300, **profile: Any) -> Path:
    """Land with square ponds, ten metres a pixel."""
    rng = np.random.default_rng(7)
    pixels = np.array(LAND, float)[:, None, None] * (1 + 0.05 * rng.standard_normal((1, size, size)))
    for pond in range(ponds):
        at = 20 + 60 * pond
        pixels[:, at : at + 30, at : at + 25] = np.array(POND, float)[:, None, None]
    told = {
        "driver": "GTiff", "count": 4, "dtype": "uint16", "width": size, "height": size, "crs": "EPSG:32650",
        "nodata": 0, "transform": from_origin(east, 3_600_000, 10, 10), "tiled": True, "blockxsize": 128, "blockysize": 128,
    }  # fmt: skip
    with rasterio.open(path, "w", **(told | profile)) as target:
        target.write(pixels[: target.count].astype(target.dtypes[0]))
        target.descriptions = ("B02", "B03", "B04", "B08")[: target.count]
    return path


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    """Five places, the first with two dates."""
    files = [write(tmp_path / f"p{n}_20240512.tif", 500_000 + 20_000 * n, 1 + n % 3) for n in range(5)]
    files.append(write(tmp_path / "p0_20230510.tif", 500_000, 1))
    opened, left_out = runs.opened(files)
    assert not left_out
    return opened


def run(scenes: list[Scene], out: Path, **more: Any) -> dict[str, runs.Result]:
    found = runs.run_all(
        runs.grouped(scenes), lambda area: compare.empty_register(), out, options=OPTIONS, **more
    )
    return {result.key: result for result in found}


def plain(results: dict[str, runs.Result]) -> dict[str, Any]:
    """Results without what the clock says."""
    told = {}
    for key, result in results.items():
        values = dataclasses.asdict(dataclasses.replace(result, seconds=0.0))
        if values["detection"]:
            facts = values["detection"]["facts"]
            values["detection"]["facts"] = {
                k: v for k, v in facts.items() if not str(k).startswith("seconds")
            }
        told[key] = values
    return told


def pictures(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*.png"))}


def test_scenes_of_one_place_are_one_group_in_order_of_date(scenes: list[Scene]) -> None:
    groups = runs.grouped(scenes)
    assert [[s.item_id for s in g.scenes] for g in groups] == [
        ["p0_20230510", "p0_20240512"], ["p1_20240512"], ["p2_20240512"], ["p3_20240512"], ["p4_20240512"],
    ]  # fmt: skip


def test_two_processes_find_what_one_finds(scenes: list[Scene], tmp_path: Path) -> None:
    shares: list[float] = []
    serial = run(scenes, tmp_path / "one", progress=lambda share, step: shares.append(share))
    assert len(serial) == 5
    assert all(result.problem is None and result.detection is not None for result in serial.values())
    assert shares == sorted(shares)
    both = run(scenes, tmp_path / "two", workers=2)
    assert plain(both) == plain(serial)
    assert pictures(tmp_path / "two") == pictures(tmp_path / "one") != {}


@pytest.mark.parametrize("workers", [1, 3])
def test_lanes_and_threads_change_nothing(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scene wider than a lane is read lane by lane; bodies across the seams are whole."""
    scene = open_scenes(write(tmp_path / "wide_20240512.tif", size=1400, ponds=22))[0]
    options = dataclasses.replace(OPTIONS, window=512, workers=workers)
    (whole,) = find(scene, ("water_body",), options)
    monkeypatch.setattr(strips, "WIDEST", 512)
    assert len(strips.Plan.of(scene.grid, 512).lanes) > 2
    (lanes,) = find(scene, ("water_body",), options)
    assert len(whole.polygons) == 22
    assert shapely.equals(whole.polygons, lanes.polygons).all()
    for name, sums in whole.objects.sums.items():
        np.testing.assert_allclose(lanes.objects.sums[name], sums)


def cut_short(path: Path) -> None:
    """As a download that broke off: the directory is there, the last pixels are not."""
    whole = path.with_suffix(".whole.tif")
    rasterio.shutil.copy(path, whole, driver="COG", compress="deflate", blocksize=128)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
    whole.unlink()


def test_a_scene_that_cannot_be_used_leaves_the_rest_alone(scenes: list[Scene], tmp_path: Path) -> None:
    broken = {scene.item_id: scene for scene in scenes}
    Path(broken["p1_20240512"].bands["nir"].file).unlink()
    cut_short(Path(broken["p2_20240512"].bands["nir"].file))
    cut_short(Path(broken["p0_20230510"].bands["nir"].file))
    p3 = broken["p3_20240512"]
    band = p3.bands["nir"]
    scenes[scenes.index(p3)] = dataclasses.replace(p3, bands={**p3.bands, "nir": Band(band.file, 9)})
    found = run([Scene(**vars_of(scene)) for scene in scenes], tmp_path / "out")
    by_scene = {name: result for result in found.values() for name in result.scenes}
    told = {gone.scene: gone.problem for result in found.values() for gone in result.left_out}
    # One date of the first place is cut short: the other stands alone.
    assert by_scene["p0_20240512"].detection is not None
    assert by_scene["p0_20240512"].detection.facts["previous"] is None
    assert by_scene["p4_20240512"].detection is not None
    assert sorted(told) == ["p0_20230510", "p1_20240512", "p2_20240512", "p3_20240512"]
    assert "p0_20230510.tif" in told["p0_20230510"]
    assert "p1_20240512.tif" in told["p1_20240512"]
    assert "truncated" in told["p2_20240512"]
    assert "no band 9" in told["p3_20240512"]
    assert all(r.problem for r in found.values() if r.detection is None)


def vars_of(scene: Scene) -> dict[str, Any]:
    """As it comes from a store: nothing of it was opened yet."""
    return {field.name: getattr(scene, field.name) for field in dataclasses.fields(scene)}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"crs": None}, "coordinate reference system"),
        ({"count": 2}, "nir"),
        ({"transform": Affine(0, 0, 5e5, 0, 0, 3.6e6)}, "grid makes no sense"),
    ],
)
def test_files_that_are_no_scene_are_told_and_the_rest_opened(
    fault: dict[str, Any], says: str, tmp_path: Path
) -> None:
    good, bad = write(tmp_path / "good.tif"), write(tmp_path / "bad.tif", **fault)
    (tmp_path / "empty.tif").write_bytes(b"")
    opened, left_out = runs.opened([bad, tmp_path / "empty.tif", good, tmp_path / "none.tif"])
    assert [scene.item_id for scene in opened] == ["good"]
    assert [Path(gone.scene).name for gone in left_out] == ["bad.tif", "empty.tif", "none.tif"]
    assert says in left_out[0].problem


@pytest.mark.parametrize("way", ["south-up", "rotated", "nan", "all cloud", "nothing seen"])
def test_unusual_grids_and_numbers_are_read(way: str, tmp_path: Path) -> None:
    file = (
        write(tmp_path / "s.tif", dtype="float32", nodata=float("nan"))
        if way == "nan"
        else write(tmp_path / "s.tif")
    )
    with rasterio.open(file, "r+") as target:
        if way == "south-up":
            target.transform = Affine(10, 0, 5e5, 0, 10, 3.5e6)
        elif way == "rotated":
            target.transform = Affine.translation(5e5, 3.6e6) @ Affine.rotation(30) @ Affine.scale(10, -10)
        elif way == "nan":
            target.write(np.full((4, 50, 300), np.nan, np.float32), window=((250, 300), (0, 300)))
        elif way == "all cloud":
            target.write(np.full((4, 300, 300), 7_000, np.uint16))
        else:
            target.write(np.zeros((4, 300, 300), np.uint16))
    (result,) = run(open_scenes(file), tmp_path / "out").values()
    assert result.problem is None
    assert result.detection is not None
    areas = sorted(round(c.area_m2, -3) for c in result.detection.candidates)
    assert areas == ([] if way in ("all cloud", "nothing seen") else [75_000, 75_000])
    for candidate in result.detection.candidates:
        assert shapely.contains_properly(result_footprint(file), candidate.geometry)


def result_footprint(file: Path) -> shapely.Geometry:
    return open_scenes(file)[0].footprint.buffer(1e-6)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cancelled_run_stops_and_keeps_what_came(workers: int, scenes: list[Scene], tmp_path: Path) -> None:
    came: list[runs.Result] = []
    groups = runs.grouped(scenes)
    for result in runs.run_all(
        groups, lambda area: compare.empty_register(), tmp_path / "out", options=OPTIONS, workers=workers,
        cancelled=lambda: bool(came),
    ):  # fmt: skip
        came.append(result)  # noqa: PERF402 - what came is what stops the run
    assert 1 <= len(came) < 5
    rest = [group for group in groups if group.key not in {result.key for result in came}]
    again = list(runs.run_all(rest, lambda area: compare.empty_register(), tmp_path / "out", options=OPTIONS))
    assert {r.key for r in [*came, *again]} == {g.key for g in groups}


def test_a_scheduler_that_is_not_there_is_told(scenes: list[Scene], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(runs.RunError, match="cannot be reached"):
            run(scenes, tmp_path, scheduler=address)


# Hosts of their own, in network namespaces.


def sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest.fixture
def hosts() -> Iterator[dict[str, str]]:
    """Three hosts on one bridge with this one: the addresses by the names of their namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("需要 root 和 iproute2 的 ip 命令 (network namespaces need root and the command ip)")
    # Names and network of this process: what a run that was killed left behind is not in the way.
    tag, net = f"st{os.getpid() % 100_000}", f"10.91.{os.getpid() % 250 + 1}"
    with ExitStack() as undo:
        try:
            sh("ip", "link", "add", f"{tag}b", "type", "bridge")
            undo.callback(subprocess.run, ["ip", "link", "del", f"{tag}b"], capture_output=True)
            sh("ip", "addr", "add", f"{net}.1/24", "dev", f"{tag}b")
            sh("ip", "link", "set", f"{tag}b", "up")
            found = {}
            for number in (2, 3, 4):
                name, link = f"{tag}n{number}", f"{tag}v{number}"
                sh("ip", "netns", "add", name)
                undo.callback(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
                sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
                sh("ip", "link", "set", link, "master", f"{tag}b", "up")
                sh("ip", "-n", name, "addr", "add", f"{net}.{number}/24", "dev", "eth0")
                sh("ip", "-n", name, "link", "set", "eth0", "up")
                sh("ip", "-n", name, "link", "set", "lo", "up")
                found[name] = f"{net}.{number}"
        except subprocess.CalledProcessError as error:
            pytest.skip(f"无法建立网络命名空间 (no network namespaces here): {error.stderr.decode().strip()}")
        yield found


def on(undo: ExitStack, host: str, *module: str) -> subprocess.Popen[bytes]:
    """A process on a host; it is killed at the end."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", host, sys.executable, "-m", *module],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    undo.callback(process.wait)
    undo.callback(kill, process)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def test_a_cluster_of_hosts_finds_what_one_process_finds_though_a_worker_is_killed(
    hosts: dict[str, str], scenes: list[Scene], tmp_path: Path
) -> None:
    serial = run(scenes, tmp_path / "one")
    first, *rest = hosts
    address = f"tcp://{hosts[first]}:8786"
    with ExitStack() as undo:
        on(
            undo,
            first,
            "distributed.cli.dask_scheduler",
            "--host",
            hosts[first],
            "--port",
            "8786",
            "--no-dashboard",
        )
        workers = [
            on(undo, host, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for host in rest
        ]  # fmt: skip
        wait_for_workers(address, 2)
        came = {}
        for result in runs.run_all(
            runs.grouped(scenes), lambda area: compare.empty_register(), tmp_path / "many", options=OPTIONS,
            scheduler=address,
        ):  # fmt: skip
            came[result.key] = result
            kill(workers[0])
    assert plain(came) == plain(serial)
    assert pictures(tmp_path / "many") == pictures(tmp_path / "one")


def wait_for_workers(address: str, number: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + 90
    while True:
        try:
            with Client(address, timeout="5s", set_as_default=False) as client:
                client.wait_for_workers(number, timeout=60)
                return
        except (OSError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
