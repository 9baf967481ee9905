"""The life of a permit as rules: every state, every event, any days."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.registry import findings as words
from app.registry import lifecycle
from app.registry.lifecycle import (
    ALLOWED,
    ENDED,
    EVENTS,
    GROUNDS,
    STATUSES,
    Event,
    Permit,
    after_years,
    findings,
    outcome,
)

TODAY = date(2026, 11, 24)
days = st.dates(date(1990, 1, 1), date(2040, 12, 31))
permits = st.builds(
    Permit,
    st.sampled_from(sorted(STATUSES)),
    st.just("D321084G2024-0001"),
    st.sampled_from(["甲公司", "乙公司"]),
    st.sampled_from([None, "91320500066221341J"]),
    st.none() | days,
    st.none() | days,
    st.none() | days,
    st.none() | days,
)
events = st.builds(
    Event,
    st.sampled_from(sorted(EVENTS)),
    days,
    st.frozensets(st.sampled_from(["purpose", "uscc", "limits"])),
    st.none() | days,
    st.none() | days,
    st.sampled_from([None, "", "甲公司", "丙公司"]),
    st.sampled_from([None, "91320500066221341J", "92320500066221342X"]),
    st.none() | days,
    st.none() | st.sampled_from(sorted(GROUNDS)),
    st.sampled_from(["", "文号"]),
    st.sampled_from(["", "原因"]),
    st.booleans(),
)


def refused(before: Permit | None, event: Event) -> list[str]:
    return [one.code for one in findings(before, event, TODAY) if one.severity == "refuse"]


@given(st.none() | permits, events)
def test_whatever_is_accepted_leads_to_a_sound_state(before: Permit | None, event: Event) -> None:
    """No future day, no upside-down or endless term, and an end always has its day."""
    if refused(before, event):
        return
    after = outcome(before, event, TODAY)
    assert after.status in STATUSES and event.effective_on <= TODAY
    if after.valid_from and after.valid_to:
        assert after.valid_from <= after.valid_to
        if event.event in ("issue", "renew", "correct"):
            assert after.valid_to <= after_years(after.valid_from, 10)
    if after.status not in ENDED:
        assert after.ended_on is None
    elif before is None or before.status != after.status:
        assert after.ended_on == event.effective_on
    if event.event == "expire":
        assert (
            after.status == "expired" and before and before.valid_to and before.valid_to < event.effective_on
        )


@given(permits.filter(lambda p: p.status in ENDED), events)
def test_nothing_but_a_correction_revives_what_ended(before: Permit, event: Event) -> None:
    if refused(before, event):
        return
    after = outcome(before, event, TODAY)
    if event.event == "correct" and event.reinstate:
        assert after.status in ("valid", "expired")
    else:
        assert after.status == before.status and after.ended_on == before.ended_on
        assert event.event in ("correct", "cancel")


@given(st.none() | permits, events)
def test_every_finding_is_a_whole_sentence_in_two_languages(before: Permit | None, event: Event) -> None:
    for one in findings(before, event, TODAY):
        assert "{" not in one.message + one.expected and "(" in one.message and one.field
        assert one.of_state == words.WORDS[one.code].of_state


def test_each_state_says_what_may_follow() -> None:
    assert set(ALLOWED) == {None, *STATUSES}
    for state, follows in ALLOWED.items():
        for event in EVENTS:
            before = None if state is None else Permit(state, "n", "甲")
            stopped = [
                one
                for one in findings(before, Event(event, TODAY), TODAY)
                if one.of_state and one.field == "event"
            ]
            assert bool(stopped) == (event not in follows), (state, event)


@pytest.mark.parametrize(("applied", "late"), [(date(2028, 11, 16), False), (date(2028, 11, 17), True)])
def test_a_renewal_is_asked_for_45_days_before_the_end(applied: date, late: bool) -> None:
    before = Permit("valid", "n", "甲", valid_from=date(2024, 1, 1), valid_to=date(2028, 12, 31))
    event = Event("renew", date(2028, 12, 20), valid_to=date(2033, 12, 31), applied_on=applied)
    found = [one.code for one in findings(before, event, date(2029, 1, 1))]
    assert found == (["asked_late"] if late else [])


def test_the_next_term_begins_where_the_former_ends() -> None:
    before = Permit("valid", "n", "甲", valid_from=date(2024, 1, 1), valid_to=date(2028, 12, 31))
    after = outcome(before, Event("renew", date(2026, 6, 1), valid_to=date(2033, 12, 31)), TODAY)
    assert (after.valid_from, after.valid_to, after.status) == (date(2029, 1, 1), date(2033, 12, 31), "valid")


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 10))
def test_years_are_counted_to_the_same_day(day: date, years: int) -> None:
    later = after_years(day, years)
    assert later.year == day.year + years and abs((later - day) - timedelta(days=365.25 * years)) < timedelta(
        days=2
    )


def test_every_ground_of_a_cancellation_names_its_clause() -> None:
    assert all(
        zh and en and clause.startswith(("行政许可法70", "条例44")) for zh, en, clause in GROUNDS.values()
    )
    assert lifecycle.ASK_BEFORE_DAYS == 45


def test_findings_are_told_in_one_sentence_with_their_clauses() -> None:
    told = words.sentence([words.refuse("term_missing"), words.refuse("nothing_changes")])
    assert told == (
        "缺少有效期止〔条例25〕；没有任何改动〔条例26〕 (the end of the term is missing; nothing is changed)"
    )
    for code, one in words.WORDS.items():
        assert one.text.count("(") == one.text.count(")") == 1 and one.text.endswith(")"), code
