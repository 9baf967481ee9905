"""What a check says."""

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do if it is not as it should be."""

    check: str
    """Stable name, for programs that read the JSON."""
    level: Level
    title: str
    says: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)
