"""Figures of progress 调度通报 (domain §4.9): each a numerator over its denominator, both named.

Plain values in, plain values out. What needs metering or cases is not here: there are none to count yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.statistics.rules import Key
from layers.model import Text


@dataclass(frozen=True)
class Count:
    """One thing that is counted."""

    name: str
    title: Text


@dataclass(frozen=True)
class Rate:
    """A share: `part` of `whole`, both names of counts; `of` says in words what it is a share of."""

    name: str
    title: Text
    part: str
    whole: str
    of: Text


COUNTS = tuple(
    Count(name, Text(zh=zh, en=en))
    for name, zh, en in (
        ("in_scope", "河道外取水口(未停用)", "Off-stream intakes that are not ended"),
        ("compared", "已参加比对", "Compared"),
        ("decided", "比对已定结果", "With a final outcome"),
        ("without_permit", "有口无证", "Intakes without permit"),
        ("without_intake", "有证无口(已定)", "Permits without intake (final)"),
        ("reviewable", "可送审成果", "Outcomes to be reviewed"),
        ("submitted", "已送审", "Submitted"),
        ("in_review", "审核中", "In review"),
        ("returned", "已退回", "Sent back"),
        ("stale", "已变化须重审", "Changed, to be reviewed again"),
        ("county_due", "须县级审核", "Due at the county"),
        ("county_passed", "县级已通过", "Passed by the county"),
        ("prefecture_due", "须市级审核", "Due at the prefecture"),
        ("prefecture_passed", "市级已通过", "Passed by the prefecture"),
        ("province_due", "须省级审核", "Due at the province"),
        ("province_passed", "省级已通过", "Passed by the province"),
        ("population", "抽查总体", "Population of spot checks"),
        ("drawn", "已抽取", "Drawn"),
        ("judged", "已复核", "Judged"),
        ("correct", "复核合格", "Found right"),
        ("published", "已审核上图", "On the one map"),
        ("batches_open", "在审批次", "Batches in review"),
        ("batches_overdue", "超期批次", "Batches overdue"),
        ("permits_valid", "有效许可证", "Permits in force"),
        ("permits_due_90", "90日内到期", "Expiring within 90 days"),
        ("permits_due_45", "45日内到期", "Expiring within 45 days"),
        ("permits_expired", "已到期未延续", "Expired, not renewed"),
    )
)
RATES = tuple(
    Rate(name, Text(zh=zh, en=en), part, whole, Text(zh=of_zh, en=of_en))
    for name, zh, en, part, whole, of_zh, of_en in (
        ("compared", "比对完成率", "Linkage completed", "decided", "in_scope", "河道外取水口(未停用)", "off-stream intakes of the register that are not ended"),
        ("submitted", "送审率", "Submitted", "submitted", "reviewable", "已定结果的成果", "outcomes that are final"),
        ("county", "县级审核通过率", "Passed by the county", "county_passed", "county_due", "送审成果中须经县级审核的", "submitted outcomes that the county reviews"),
        ("prefecture", "市级审核通过率", "Passed by the prefecture", "prefecture_passed", "prefecture_due", "送审成果中须经市级审核的", "submitted outcomes that the prefecture reviews"),
        ("province", "省级审核通过率", "Passed by the province", "province_passed", "province_due", "送审成果中须经省级审核的", "submitted outcomes that the province reviews"),
        ("spot_check", "抽查率", "Spot-checked", "drawn", "population", "抽查总体（冻结时的待抽查成果）", "the frozen populations of spot checks"),
        ("spot_check_passed", "抽查合格率", "Found right", "correct", "judged", "已复核的抽查成果", "outcomes judged in spot checks"),
        ("published", "上图率", "On the one map", "published_intakes", "in_scope", "河道外取水口(未停用)", "off-stream intakes of the register that are not ended"),
    )
)  # fmt: skip
HIDDEN = "published_intakes"
"""Counted for a rate only: of what is published, that which is an intake of the register."""
NAMES = (*(one.name for one in COUNTS), HIDDEN)


@dataclass(frozen=True)
class Brief:
    """The figures of one place."""

    key: Key
    title: Text
    counts: Mapping[str, int]

    def share(self, rate: Rate) -> float | None:
        """The rate; None where there is nothing to be a share of."""
        whole = self.counts[rate.whole]
        return self.counts[rate.part] / whole if whole else None


def added(figures: Iterable[tuple[Key, Mapping[str, int]]]) -> dict[Key, dict[str, int]]:
    """Counts of equal places summed; what was not counted is nothing."""
    found: dict[Key, dict[str, int]] = {}
    for key, counts in figures:
        sums = found.setdefault(key, dict.fromkeys(NAMES, 0))
        for name, n in counts.items():
            sums[name] += n
    return found


def total(briefs: Iterable[Brief]) -> Brief:
    """Everything together: counts are summed, rates follow from the sums and are never averaged."""
    sums = added((None, one.counts) for one in briefs)
    return Brief(None, Text(zh="合计", en="Total"), sums.get(None, dict.fromkeys(NAMES, 0)))
