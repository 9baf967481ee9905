"""The kinds of abstraction that the pilot's register holds, and how common each is."""

from dataclasses import dataclass
from typing import Literal

Place = Literal["yangtze", "shore", "ditch", "town"]
Holder = Literal["company", "district", "works", "village", "shop"]


@dataclass(frozen=True)
class Profile:
    """One kind: what it takes from, for what, how, where, and of what size."""

    name: str
    share: float
    """Of a county's permits."""
    source: str
    purpose: str
    industry: str
    """GB/T 4754—2017; empty: by the holder's trade."""
    mode: str
    works: str
    place: Place
    holder: Holder
    ranks: tuple[float, float]
    """Between which ranks of volume, 0 the smallest and 1 the largest."""
    intakes: tuple[float, ...] = (0.85, 0.15)
    """Chance of one, two, three… intakes to a permit."""
    days: float = 300.0
    """Days of full take that make the year's volume: gives the daily limit."""


WELLS = (0.62, 0.2, 0.1, 0.05, 0.03)
PROFILES = (
    Profile("factory", 0.24, "地表水", "工业", "", "提(抽)", "水泵", "shore", "company", (0.25, 0.99)),
    Profile("waterworks", 0.025, "地表水", "公共供水", "4610", "提(抽)", "泵站", "shore", "works", (0.985, 1.0)),
    Profile("pumping", 0.22, "地表水", "农业灌溉", "0511", "提(抽)", "泵站", "shore", "village", (0.4, 0.99), days=70),
    Profile("ditch", 0.1, "地表水", "农业灌溉", "0511", "提(抽)", "水泵", "ditch", "village", (0.1, 0.8), days=60),
    Profile("fishery", 0.1, "地表水", "水产养殖", "0412", "提(抽)", "水泵", "ditch", "village", (0.2, 0.9), days=90),
    Profile("ecology", 0.025, "地表水", "生态补水", "7721", "自流(引)", "闸", "shore", "district", (0.85, 0.99)),
    Profile("factory well", 0.12, "地下水", "工业", "", "井", "机电井", "town", "company", (0.0, 0.7), WELLS),
    Profile("village well", 0.09, "地下水", "农村生活", "4610", "井", "机电井", "town", "village", (0.0, 0.72), WELLS),
    Profile("shop well", 0.08, "地下水", "其他", "8051", "井", "机电井", "town", "shop", (0.0, 0.55)),
)  # fmt: skip
POWER = Profile(
    "power plant", 0.0, "地表水", "火(核)电", "4411", "提(抽)", "泵站", "yangtze", "company", (1.0, 1.0), (0.0, 1.0)
)  # fmt: skip
HEADWORKS = Profile(
    "headworks", 0.0, "地表水", "农业灌溉", "0511", "自流(引)", "闸", "shore", "district", (1.0, 1.0), (0.5, 0.5), 110
)  # fmt: skip
RECLAIMED = Profile(
    "reclaimed", 0.0, "再生水", "工业", "4620", "提(抽)", "泵站", "town", "works", (0.9, 0.99)
)  # fmt: skip

# Who needs no permit (条例 4): the ground named in the register, and the size that goes with it.
EXEMPT = (
    ("农村集体经济组织取用本集体经济组织水塘、水库中的水", "fishery", (0.05, 0.5)),
    ("家庭生活和零星散养、圈养畜禽饮用等少量取水", "village well", (0.0, 0.2)),
    ("保障地下工程施工安全临时应急取水", "factory well", (0.3, 0.6)),
)
EXEMPT_RECLAIMED = "利用再生水，不直接取用江河、湖泊和地下水"
