"""What a version changed is what differs, and nothing else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.dossiers.versions import changed, steps

RECORD = st.fixed_dictionaries(
    {"version": st.integers(1, 9), "recorded_at": st.integers(), "name": st.text(max_size=3)},
    optional={
        "place": st.none() | st.text(max_size=3),
        "lon": st.floats(73, 136),
        "attributes": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
    },
)


@given(RECORD)
def test_a_version_does_not_differ_from_itself(version: dict[str, Any]) -> None:
    assert changed(version, version) == []


@given(RECORD, RECORD)
def test_what_differs_is_told_once_and_both_ways(a: dict[str, Any], b: dict[str, Any]) -> None:
    there, back = changed(a, b), changed(b, a)
    assert {(one.field, repr(one.before), repr(one.after)) for one in there} == {
        (one.field, repr(one.after), repr(one.before)) for one in back
    }
    assert len({one.field for one in there}) == len(there)
    assert not {"version", "recorded_at", "attributes"} & {one.field for one in there}


def test_an_empty_text_and_none_say_the_same_and_a_rounded_place_is_no_move() -> None:
    assert changed({"place": None, "lon": 119.1}, {"place": "", "lon": 119.100_000_05}) == []


def test_members_of_the_attributes_are_fields_of_their_own() -> None:
    found = changed({"attributes": {"泵": "2台", "渠": "1"}}, {"attributes": {"泵": "3台"}})
    assert [(one.field, one.before, one.after) for one in found] == [
        ("attributes.泵", "2台", "3台"),
        ("attributes.渠", "1", None),
    ]


def test_the_first_version_changed_nothing() -> None:
    assert [len(changes) for _, changes in steps([{"name": "c"}, {"name": "b"}, {"name": "b"}])] == [1, 0, 0]
