"""Who asks, and for which part of the country."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.errors import InvalidInput

NATION_LO, NATION_HI = 0, 1_000_000


class Role(StrEnum):
    """What an account may do; where it may do it is its `Jurisdiction`."""

    PUBLIC = "public"
    VIEWER = "viewer"
    ANALYST = "analyst"
    OFFICER = "officer"
    ADMIN = "admin"


class Permission(StrEnum):
    READ = "read"  # officer fields of every layer inside the jurisdiction
    DECIDE = "decide"  # accept or reject candidates
    IMPORT = "import"  # bring registers in, and write their entries
    DETECT = "detect"  # run detections
    MATCH = "match"  # bring intakes to their permits: run the linkage, decide its lines
    REVIEW = (
        "review"  # submit, approve, send back what was matched; at which level is the jurisdiction's to say
    )
    ADMINISTER = "administer"  # accounts and keys


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.PUBLIC: frozenset(),
    Role.VIEWER: frozenset({Permission.READ}),
    Role.ANALYST: frozenset({Permission.READ, Permission.DECIDE, Permission.DETECT}),
    Role.OFFICER: frozenset(
        {Permission.READ, Permission.DECIDE, Permission.IMPORT, Permission.MATCH, Permission.REVIEW}
    ),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A part of the country: GB/T 2260 county codes in [lo, hi), or else one basin agency.

    The database sees the same three numbers (`app.scope_lo`, `app.scope_hi`, `app.scope_basin`);
    integer ranges, because comparison of integers is leakproof and so stays an index condition
    under row-level security.
    """

    lo: int
    hi: int
    basin: int | None = None

    @classmethod
    def nation(cls) -> "Jurisdiction":
        return cls(NATION_LO, NATION_HI)

    @classmethod
    def nowhere(cls) -> "Jurisdiction":
        return cls(0, 0)

    @classmethod
    def of_basin(cls, basin: int) -> "Jurisdiction":
        return cls(0, 0, basin)

    @classmethod
    def of_region(cls, prefix: str) -> "Jurisdiction":
        """A GB/T 2260 prefix of 2, 4 or 6 digits; a 6-digit code of a province or prefecture
        (320000, 321000) means the whole of it.

        Raises InvalidInput if it is not one.
        """
        if not (prefix.isascii() and prefix.isdigit() and len(prefix) in (2, 4, 6)):
            raise InvalidInput(
                f"行政区划代码前缀应为2、4或6位数字，得到 {prefix!r} "
                "(a jurisdiction is a GB/T 2260 prefix of 2, 4 or 6 digits)",
                field="jurisdiction",
                value=prefix,
                expected="2, 4 or 6 digits",
            )
        while len(prefix) > 2 and prefix.endswith("00"):
            prefix = prefix[:-2]
        span = 10 ** (6 - len(prefix))
        return cls(int(prefix) * span, (int(prefix) + 1) * span)

    @property
    def is_nation(self) -> bool:
        return self.lo <= NATION_LO and self.hi >= NATION_HI

    @property
    def region(self) -> int | None:
        """GB/T 2260 code of the province, prefecture or county that it is; None for the nation, a basin or nothing."""
        return self.lo if self.hi - self.lo in (1, 100, 10_000) else None

    @property
    def key(self) -> str:
        """Stable name, used in cache keys."""
        return f"b{self.basin}" if self.basin is not None else f"{self.lo}-{self.hi}"

    def covers(self, county: int, basin: int | None = None) -> bool:
        return self.lo <= county < self.hi or (self.basin is not None and basin == self.basin)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `user_id` is None for the public and for named system tasks."""

    username: str
    role: Role
    jurisdiction: Jurisdiction
    user_id: int | None = None
    display_name: str = ""

    @property
    def audience(self) -> Literal["public", "officer"]:
        """`public` or `officer`: which fields of a layer this actor sees."""
        return "officer" if self.may(Permission.READ) else "public"

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


PUBLIC = Actor("public", Role.PUBLIC, Jurisdiction.nowhere())


def system(task: str) -> Actor:
    """A named system task (folding cells, demo load) in the national scope."""
    return Actor(f"system:{task}", Role.ADMIN, Jurisdiction.nation())
