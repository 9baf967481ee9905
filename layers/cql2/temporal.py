"""Times in SQL, and how they relate (OGC 21-065r2, 7.6; W3C Time Ontology for the relations between intervals)."""

RELATIONS = {
    "t_after": "{s1} > {e2}",
    "t_before": "{e1} < {s2}",
    "t_disjoint": "({e1} < {s2} or {s1} > {e2})",
    "t_equals": "({s1} = {s2} and {e1} = {e2})",
    "t_intersects": "not ({e1} < {s2} or {s1} > {e2})",
    "t_contains": "({s1} < {s2} and {e1} > {e2})",
    "t_during": "({s1} > {s2} and {e1} < {e2})",
    "t_finishedby": "({s1} < {s2} and {e1} = {e2})",
    "t_finishes": "({s1} > {s2} and {e1} = {e2})",
    "t_meets": "{e1} = {s2}",
    "t_metby": "{s1} = {e2}",
    "t_overlappedby": "({s1} > {s2} and {s1} < {e2} and {e1} > {e2})",
    "t_overlaps": "({s1} < {s2} and {e1} > {s2} and {e1} < {e2})",
    "t_startedby": "({s1} = {s2} and {e1} > {e2})",
    "t_starts": "({s1} = {s2} and {e1} < {e2})",
}
"""By start and end of both, each end included."""


def start(sql: str, kind: str) -> str:
    """The first instant of a time, in UTC."""
    return f"(({sql})::timestamp at time zone 'UTC')" if kind == "date" else sql


def end(sql: str, kind: str) -> str:
    """The last instant of a time: of a day, its last microsecond."""
    if kind != "date":
        return sql
    return f"((({sql})::timestamp + interval '1 day' - interval '1 microsecond') at time zone 'UTC')"
