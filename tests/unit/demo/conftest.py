"""The real ground of the demo, read once."""

from datetime import date

import pytest

from app.demo import ground, register, scenes, sources
from app.demo.ground import Ground
from app.demo.register import Register

DAY = date(2026, 11, 24)
SEED = 7


@pytest.fixture(scope="session")
def boundaries() -> sources.Boundaries:
    return sources.boundaries()


@pytest.fixture(scope="session")
def waters() -> sources.Waters:
    return sources.waters()


@pytest.fixture(scope="session")
def grounds(boundaries: sources.Boundaries, waters: sources.Waters) -> dict[int, Ground]:
    return ground.survey(boundaries, waters, register.COUNTIES, SEED, scenes.keep_out())


@pytest.fixture(scope="session")
def whole(grounds: dict[int, Ground]) -> Register:
    """The register before anything is spoilt."""
    return register.make(grounds, SEED, DAY)
