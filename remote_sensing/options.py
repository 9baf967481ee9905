"""What a run may be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd

    from remote_sensing.calibration import Calibration
    from remote_sensing.demand import Climate

KINDS = ("water_body", "irrigated_land")


@dataclass(frozen=True)
class Reach:
    """How far an intake serves, m. Assumptions, to be set for a region; a canal reaches as far as it runs."""

    water_m: float = 50.0
    """From the shore: an intake at a pond stands at its edge."""
    field_m: float = 1_000.0
    well_m: float = 500.0
    canal_m: float = 500.0
    """From a canal below the intake to what it waters."""
    canal_pond_m: float = 50.0
    """From a canal below the intake to a pond it fills."""


@dataclass(frozen=True)
class Quotas:
    """What an area means in water, as lowest, likely and highest. Assumptions: set them for the region."""

    depth_m: tuple[float, float, float] = (0.5, 1.5, 3.0)
    """Mean depth of a small pond or reservoir, filled once a year."""
    irrigation_m3_per_mu: tuple[float, float, float] = (150.0, 355.0, 700.0)
    """Per 亩 and year; 355 is the national mean of irrigated farmland in 2021 (中国水资源公报 2021)."""


@dataclass(frozen=True)
class Ground:
    """What else is known of the ground; every part may be missing."""

    network: gpd.GeoDataFrame | None = None
    """Lines of rivers and canals, any CRS (columns: see `network`)."""
    drawn_downstream: bool = False
    """Whether the lines run as they are drawn."""
    areas: gpd.GeoDataFrame | None = None
    """Polygons of irrigation districts and service areas; `intake_id` or `intake_code` names the intakes of each."""
    dams: gpd.GeoDataFrame | None = None
    """Points of dams: what tells a reservoir from a lake."""


@dataclass(frozen=True)
class Options:
    """What a run may be told. Distances and quotas are assumptions for the operator to set."""

    kinds: tuple[str, ...] = KINDS
    min_water_m2: float = 1_000.0
    min_field_m2: float = 4_000.0
    max_water_m2: float = 2e7
    """Larger water is a lake or river, which is no unregistered withdrawal by itself."""
    min_score: float = 0.15
    max_candidates: int = 2_000
    reach: Reach = field(default_factory=Reach)
    quotas: Quotas = field(default_factory=Quotas)
    ground: Ground = field(default_factory=Ground)
    ground_dir: Path | None = None
    """Folder of files that say more of the ground and the weather (`ground`)."""
    climate: Climate | None = None
    """The weather of the place (`demand.read`): then fields are judged by what they took, not by a norm."""
    calibration: Calibration | None = None
    """Turns raw scores into chances; without one the raw score stands."""
    window: int = 1_024
    """Columns of the pieces that a strip is worked on in; their size changes nothing but memory."""
    workers: int = 2
