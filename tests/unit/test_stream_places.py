"""Where the stream of changes says that something changed, and what it leaves behind."""

import asyncio

from app.changes.stream import PLACES, Stream, places
from tiles.address import PUBLIC
from tiles.keys import WORLD, world
from tiles.versions import Versions


def box(lon: float, lat: float) -> tuple[int, int, int, int]:
    (x,), (y,) = world([lon], [lat])
    return int(x), int(y), int(x), int(y)


def test_a_point_is_told_as_a_kilometre_around_it() -> None:
    assert places({box(119.437, 32.771)}) == [(119.43, 32.77, 119.44, 32.78)]


def test_many_points_are_told_as_few_places_that_hold_them_all() -> None:
    spots = [(100 + i * 0.05, 30 + i * 0.03) for i in range(100)]
    found = places({box(*spot) for spot in spots})
    assert found is not None
    assert len(found) <= PLACES
    for lon, lat in spots:
        assert any(w <= lon <= e and s <= lat <= n for w, s, e, n in found)


def test_a_layer_that_changed_as_a_whole_may_be_anywhere() -> None:
    assert places({(0, 0, WORLD - 1, WORLD - 1), box(119, 32)}) is None


def test_a_stream_whose_reader_goes_leaves_nothing_running() -> None:
    """What still waits when the loop ends is reported as "Task was destroyed but it is pending"."""

    async def left_behind() -> set[asyncio.Task[None]]:
        # Nothing is read: a stream hears of changes, and asks no database.
        versions = Versions(None, "")  # type: ignore[arg-type]
        before = asyncio.all_tasks()
        events = Stream(versions, PUBLIC, ("intakes",)).events()
        assert (await anext(events)).startswith(b"retry")
        reader = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.01)
        reader.cancel()
        await asyncio.wait({reader})
        await asyncio.sleep(0)
        return asyncio.all_tasks() - before

    assert asyncio.run(left_behind()) == set()
