"""A dossier says who acted in words: no code of the store stands where a reader expects a name."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from app.dossiers import parts
from app.dossiers.words import Words
from app.review.rules import Level

AT = datetime(2026, 5, 1, 2, 30, tzinfo=UTC)


def outcome(by: str, name: str) -> dict[str, object]:
    return {
        "seq": None, "outcome": "one_to_one", "note": "", "decided_by": by, "decided_name": name, "decided_at": AT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "by", "name", "said"),
    [
        ("zh", "rule", "rule", "一口一证 · 规则 · 2026-05-01 10:30"),
        ("en", "rule", "rule", "one intake, one permit intake · rule · 2026-05-01 10:30"),
        ("zh", "person", "高邮市 王五", "一口一证 · 高邮市 王五 · 2026-05-01 10:30"),
    ],
)
def test_an_outcome_names_the_person_or_says_that_a_rule_decided(
    lang: str, by: str, name: str, said: str
) -> None:
    section = parts.linkage(Words(lang), [outcome(by, name)], [], [], "intake")  # type: ignore[arg-type]
    assert section.facts[0].text == said


@pytest.mark.parametrize(("level", "said"), [("county", "县级"), ("basin", "流域机构"), ("nation", "水利部")])
def test_a_step_of_the_review_names_the_level_of_its_authority(level: str, said: str) -> None:
    step = {"action": "submit", "decided_at": AT, "authority": level, "actor_name": "王五", "note": "第一批"}
    assert parts.review(Words("zh"), [], [step]).entries[0].text == f"{said} · 王五 · 第一批"


@pytest.mark.parametrize("level", get_args(Level))
def test_every_level_has_a_word_in_both_languages(level: str) -> None:
    for lang in ("zh", "en"):
        assert level == "none" or Words(lang).code("authority", level)  # type: ignore[arg-type]
    assert Words("zh").code("authority", level) != level


def test_what_the_service_did_by_itself_is_the_systems() -> None:
    assert [Words("zh").person("system:expire-permits"), Words("en").person("system:link")] == [
        "系统", "the system",
    ]  # fmt: skip
    assert [Words("zh").person("王五"), Words("zh").person(None)] == ["王五", ""]
