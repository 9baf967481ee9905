"""The pilot's register as it should be: permits, holders and intakes, before anything is spoilt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from app.demo import ground as places
from app.demo import indicators, names, profiles, volumes
from app.demo.ground import Ground
from app.demo.names import Rng
from app.demo.profiles import Profile

PREFECTURE = 321000
COUNTIES = (321002, 321003, 321012, 321023, 321081, 321084)
PERMITS = {321002: 142, 321003: 148, 321012: 156, 321023: 152, 321081: 146, 321084: 156}
# Where the great takes stand, and what part of its cap a county with headworks has licensed.
POWER_PLANTS = (321002, 321003, 321081)
POWER_LICENSED = 0.9
LICENSED = {321012: 1.04, 321023: 0.93, 321084: 0.88}
HEADWORKS_PARTS = (0.64, 0.36)
LEAST_M3 = 60.0
UNPERMITTED, EXEMPT, RECLAIMED_WORKS = 22, 12, 3
"""A county's intakes without a permit that should have one, those that need none, and reclaimed-water works."""


@dataclass(frozen=True)
class Holder:
    name: str
    credit_code: str


@dataclass(frozen=True)
class Permit:
    number: str
    previous: str
    status: str
    event: str
    holder: Holder
    county: int
    authority: str
    level: str
    profile: Profile
    industry: str
    annual_m3: float
    daily_m3: float | None
    flow_m3s: float | None
    valid_from: date
    valid_to: date
    town: str
    seasons: tuple[tuple[str, float], ...] = ()
    """Limits by part of the year: period and part of the annual volume."""
    fixed: bool = False
    """No error is planted in it: the demo's scenes count on it."""


@dataclass(frozen=True)
class Intake:
    code: str
    name: str
    holder: Holder
    county: int
    town: str
    lon: float
    lat: float
    profile: Profile
    industry: str
    water: str
    water_kind: str
    annual_m3: float
    flow_m3s: float | None
    depth_m: float | None
    aquifer: str
    well_status: str
    started: date
    permits: tuple[str, ...]
    without: str = ""
    """无证 for one that lacks its permit, or the ground on which none is needed."""
    fixed: bool = False


@dataclass(frozen=True)
class Register:
    """What stands in the pilot's registers."""

    permits: tuple[Permit, ...]
    intakes: tuple[Intake, ...]


@dataclass
class _County:
    """What a county needs while its register is written."""

    ground: Ground
    seed: int
    as_of: date
    serial: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    def code(self) -> str:
        self.serial += 1
        return f"{self.ground.code}{self.serial:06d}"

    def next(self, key: str) -> int:
        self.numbers[key] = self.numbers.get(key, 0) + 1
        return self.numbers[key]


def make(grounds: Mapping[int, Ground], seed: int, as_of: date) -> Register:
    """The register of the pilot: the same for the same ground, seed and day."""
    permits: list[Permit] = []
    intakes: list[Intake] = []
    sizes = _sizes(grounds, seed)
    for code, ground in grounds.items():
        county = _County(ground, seed, as_of)
        random = names.rng(seed, "register", code)
        for profile, volume in sizes[code]:
            permit = _permit(random, county, profile, volume)
            permits.append(permit)
            intakes += _intakes(random, county, permit)
        intakes += _without_permit(random, county)
    return Register(tuple(permits), tuple(_second_permits(intakes, permits, seed)))


# ── sizes ───────────────────────────────────────────────────────────────────────────────────────────


def _sizes(grounds: Mapping[int, Ground], seed: int) -> dict[int, list[tuple[Profile, float]]]:
    """Each county's permits as (profile, m³ a year): the great ones by the caps, the rest by rank."""
    great, rest_m3 = _great(grounds)
    slots: list[tuple[int, Profile, float]] = []
    for code in grounds:
        random = names.rng(seed, "profiles", code)
        number = PERMITS[code] - len(great[code])
        share = np.array([p.share for p in profiles.PROFILES])
        for index in random.choice(len(share), size=number, p=share / share.sum()):
            profile = profiles.PROFILES[index]
            slots.append((code, profile, float(random.uniform(*profile.ranks))))
    order = np.argsort([rank for *_, rank in slots], kind="stable")
    spread = volumes.body(len(slots), rest_m3)
    found: dict[int, list[tuple[Profile, float]]] = {code: list(great[code]) for code in grounds}
    for position, index in enumerate(order):
        code, profile, _ = slots[index]
        found[code].append((profile, max(LEAST_M3, round(float(spread[position])))))
    for code in found:  # the order of a real register is that of arrival, not of size
        names.rng(seed, "arrival", code).shuffle(found[code])
    return found


def _great(grounds: Mapping[int, Ground]) -> tuple[dict[int, list[tuple[Profile, float]]], float]:
    """Power plants and headworks, and what is left to the others so that the great hold 89 %.

    Headworks fill a county up to its licensed part of the cap, less an equal part of what the rest holds:
    great = power + Σ licensed − rest·(counties with headworks)/(counties), and rest = great · 11/89.
    """
    power = {c: indicators.of_county(c, grounds)["power"] * 1e4 * POWER_LICENSED for c in POWER_PLANTS}
    target = {c: _cap_m3(c, grounds) * part for c, part in LICENSED.items()}
    ratio = (1 - volumes.TOP_SHARE) / volumes.TOP_SHARE
    whole = (sum(power.values()) + sum(target.values())) / (1 + ratio * len(target) / len(grounds))
    rest = whole * ratio
    found: dict[int, list[tuple[Profile, float]]] = {code: [] for code in grounds}
    for code, volume in power.items():
        found[code].append((profiles.POWER, round(volume, -4)))
    for code, volume in target.items():
        left = volume - rest / len(grounds)
        found[code] += [(profiles.HEADWORKS, round(left * part, -4)) for part in HEADWORKS_PARTS]
    return found, rest


def _cap_m3(code: int, grounds: Mapping[int, Ground]) -> float:
    part = indicators.of_county(code, grounds)
    return sum(part[use] for use in indicators.PUBLISHED_10K_M3) * 1e4


# ── permits ─────────────────────────────────────────────────────────────────────────────────────────

STATUSES = (("有效", 0.84), ("到期", 0.08), ("注销", 0.05), ("吊销", 0.01), ("撤销", 0.01), ("办理中", 0.01))
SEASONS = (("05-01/09-30", 0.8), ("10-01/04-30", 0.2))


def _permit(random: Rng, county: _County, profile: Profile, volume: float) -> Permit:
    great = profile.ranks[0] >= 1
    status = "有效" if great else str(random.choice([s for s, _ in STATUSES], p=[p for _, p in STATUSES]))
    first, last = _term(random, county.as_of, status)
    level = _level(random, profile, volume)
    town = county.ground.town_names[int(random.integers(places.TOWNS))]
    letter = "G" if profile.source == "地下水" else "S"
    old = random.random() < 0.1 and not great
    serial = county.next(f"{letter}{first.year}")
    number = names.permit_number(level, county.ground.code, letter, first, serial)
    before = (
        names.paper_number(county.ground.code, letter, first.year - 5, county.next("paper"))
        if old or random.random() < 0.12
        else ""
    )
    if old:
        number, before = names.paper_number(county.ground.code, letter, first.year, county.next("paper")), ""
    holder, industry = _holder(random, county, profile, town)
    daily = volume / profile.days * random.uniform(1.0, 1.4) if random.random() < 0.7 or great else None
    flow = daily / 86_400 * random.uniform(1.0, 2.0) if daily and daily > 5_000 else None
    return Permit(
        number, before, status, "延续" if before else "发放", holder, county.ground.code,
        _authority(level, county.ground.name), level, profile, industry, volume, daily, flow, first, last, town,
        SEASONS if profile.name == "pumping" and volume > 200_000 and random.random() < 0.25 else (),
    )  # fmt: skip


def _term(random: Rng, as_of: date, status: str) -> tuple[date, date]:
    """Five years, or three; in force on the day, unless the status says otherwise."""
    years = 3 if random.random() < 0.2 else 5
    length = 365 * years
    if status == "到期":
        first = as_of - timedelta(days=int(random.integers(length + 30, length + 900)))
    else:
        first = as_of - timedelta(days=int(random.integers(20, length - 60)))
    return first, first + timedelta(days=length - 1)


def _level(random: Rng, profile: Profile, volume: float) -> str:
    if profile.name == "power plant":
        return "A"
    if profile.name == "headworks":
        return "B"
    return "C" if volume > 1_000_000 or random.random() < 0.1 else "D"


AUTHORITIES = {
    "A": ("水利部长江水利委员会", "流域"),
    "B": ("江苏省水利厅", "省"),
    "C": ("扬州市水利局", "市"),
}


def _authority(level: str, county: str) -> str:
    return AUTHORITIES[level][0] if level in AUTHORITIES else f"{county}水利局"


def _holder(random: Rng, county: _County, profile: Profile, town: str) -> tuple[Holder, str]:
    """A holder that such an intake has, and its industry."""
    code, place = county.ground.code, names.place_name(random)
    short = county.ground.name[:-1]
    trade = str(random.choice(list(names.TRADES)))
    name, registrar = {
        "company": (names.company(random, trade), "91"),
        "district": (f"{short}{place}灌区管理处", "12"),
        "works": (f"{short}{place}水务有限公司", "91"),
        "village": (f"{town}{place}村股份经济合作社", "N2"),
        "shop": (f"{short}{place}{random.choice(['宾馆', '浴室', '洗车行', '养殖场'])}", "92"),
    }[profile.holder]
    if profile.name == "power plant":
        name = f"扬州{place}发电有限公司"
    elif profile.name == "ecology":
        name = f"{short}{place}河道管理所"
    industry = profile.industry or names.TRADES[trade][1]
    return Holder(name, names.credit_code(random, registrar, code)), industry


# ── intakes ─────────────────────────────────────────────────────────────────────────────────────────


def _intakes(random: Rng, county: _County, permit: Permit) -> list[Intake]:
    """The permit's intakes: one, two, or a well field, which share its volume."""
    chance = permit.profile.intakes
    number = 1 + int(random.choice(len(chance), p=chance))
    parts = random.dirichlet([6.0] * number)
    lon, lat, water, kind = _place(random, county.ground, permit.profile)
    made = []
    for index, part in enumerate(parts):
        here = (lon, lat) if index == 0 else places.near(random, lon, lat, 180.0, county.ground.inside)
        one = _intake(random, county, permit.profile, permit.holder, permit.industry, here, (water, kind))
        made.append(
            replace(
                one,
                name=one.name if number == 1 else f"{one.name}{index + 1}号",
                annual_m3=max(1.0, round(permit.annual_m3 * float(part))),
                flow_m3s=round(permit.flow_m3s * 1.1, 3) if permit.flow_m3s else None,
                permits=(permit.number,),
                started=min(one.started, permit.valid_from),
                well_status="封存" if permit.status in ("注销", "吊销") and one.depth_m else one.well_status,
            )
        )
    return made


NOUNS = {
    "factory": "取水泵站", "waterworks": "水厂取水口", "pumping": "电灌站", "ditch": "机电排灌站", "fishery": "养殖取水口",
    "ecology": "引水闸", "factory well": "自备井", "village well": "供水井", "shop well": "自备井",
    "power plant": "取水头部", "headworks": "引水涵洞", "reclaimed": "再生水取水口",
}  # fmt: skip


def _intake(
    random: Rng, county: _County, profile: Profile, holder: Holder, industry: str,
    here: tuple[float, float], water: tuple[str, str],
) -> Intake:  # fmt: skip
    well = profile.source == "地下水"
    deep = random.random() < 0.45
    short = holder.name.removeprefix("扬州").removesuffix("有限公司").removesuffix("股份经济合作社")
    status = str(random.choice(["在用", "应急备用", "封存"], p=[0.86, 0.08, 0.06])) if well else "在用"
    return Intake(
        county.code(), f"{short}{NOUNS[profile.name]}", holder, county.ground.code, county.ground.town_of(*here),
        round(here[0], 6), round(here[1], 6), profile, industry, *water, 0.0, None,
        float(random.integers(120, 260) if deep else random.integers(25, 70)) if well else None,
        ("深层承压水" if deep else "浅层地下水") if well else "", status,
        county.as_of - timedelta(days=int(random.integers(400, 9_000))), (),
    )  # fmt: skip


def _place(random: Rng, ground: Ground, profile: Profile) -> tuple[float, float, str, str]:
    """Longitude, latitude, the water's name and its kind."""
    if profile.place == "town":
        return *places.by_town(random, ground), "", ""
    if profile.place == "ditch":
        return *places.anywhere(random, ground.fields), f"{names.place_name(random)}中心河", "河流"
    shores = ground.shores
    if profile.place == "yangtze":
        shores = tuple(s for s in shores if s.name == indicators.YANGTZE) or shores
    length = np.array([s.length_m for s in shores])
    shore = shores[int(random.choice(len(shores), p=length / length.sum()))]
    return *places.on_shore(random, ground, shore), shore.name, shore.kind


def _without_permit(random: Rng, county: _County) -> list[Intake]:
    """Intakes of the register that have no permit, by right or not."""
    by_name = {p.name: p for p in profiles.PROFILES}
    common = ("factory well", "ditch", "fishery", "pumping", "shop well")
    wanted = [(by_name[common[i % len(common)]], "无证", (0.1, 0.85)) for i in range(UNPERMITTED)]
    for index in range(EXEMPT):
        why, name, ranks = profiles.EXEMPT[index % len(profiles.EXEMPT)]
        wanted.append((by_name[name], why, ranks))
    wanted += [(profiles.RECLAIMED, profiles.EXEMPT_RECLAIMED, (0.9, 0.95))] * RECLAIMED_WORKS
    made = []
    for profile, why, ranks in wanted:
        lon, lat, water, kind = _place(random, county.ground, profile)
        town = county.ground.town_of(lon, lat)
        holder, industry = _holder(random, county, profile, town)
        volume = float(volumes.lognormal(np.array([random.uniform(*ranks)]))[0])
        one = _intake(random, county, profile, holder, industry, (lon, lat), (water, kind))
        kind_of_water = "再生水" if profile is profiles.RECLAIMED else kind
        made.append(replace(one, annual_m3=max(1.0, round(volume)), without=why, water_kind=kind_of_water))
    return made


def _second_permits(intakes: Sequence[Intake], permits: Sequence[Permit], seed: int) -> list[Intake]:
    """Some shore intakes serve two permits of the county: a factory's pump also waters a village's land."""
    random = names.rng(seed, "shared intakes")
    others = {c: [p for p in permits if p.county == c and p.profile.name == "pumping"] for c in COUNTIES}
    made = []
    for intake in intakes:
        if intake.profile.name == "factory" and intake.permits and random.random() < 0.05:
            other = others[intake.county][int(random.integers(len(others[intake.county])))]
            intake = replace(intake, permits=(*intake.permits, other.number))
        made.append(intake)
    return made
