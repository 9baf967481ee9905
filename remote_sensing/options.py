"""What a run may be told."""

from dataclasses import dataclass, field

from remote_sensing.compare import Reach
from remote_sensing.evidence import Quotas

KINDS = ("water_body", "irrigated_land")


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
    window: int = 2_048
    """Columns of the pieces that a strip is worked on in; their size changes nothing but memory."""
    workers: int = 2
