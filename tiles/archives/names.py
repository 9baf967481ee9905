"""What an archive is called, and who may fetch it.

Archives with public fields lie beside each other. Those with more lie in a folder of their own and carry
audience and jurisdiction in their name, so that a fetch can be judged by the name alone:
`intakes.pmtiles`, `officer/intakes-officer-321084.pmtiles`.
"""

import re

from tiles.address import PUBLIC, Viewer

OFFICER_FOLDER = "officer"
SUFFIX = ".pmtiles"
MAP = "map"
"""The archive of all layers together."""
NATION = Viewer("officer", PUBLIC.lo, PUBLIC.hi)
SCOPED = re.compile(r"-officer-(?:(?P<nation>nation)|basin(?P<basin>\d{1,4})|(?P<region>\d{2}|\d{4}|\d{6}))$")


def name_of(content: str, viewer: Viewer) -> str:
    """The name of an archive of this layer (or `MAP`) as this viewer sees it."""
    if viewer.audience == "public":
        return content
    return f"{content}-officer-{_jurisdiction(viewer)}"


def key_of(name: str, viewer: Viewer) -> str:
    """Where an archive made for this viewer lies."""
    folder = "" if viewer.audience == "public" else f"{OFFICER_FOLDER}/"
    return f"{folder}{name}{SUFFIX}"


def keys_for(name: str, viewer: Viewer) -> list[str]:
    """Where an archive of this name may lie for this viewer: what is public, and what lies in their jurisdiction."""
    keys = [f"{name}{SUFFIX}"]
    if viewer.audience == "officer" and _within(_scope(name), viewer):
        keys.append(f"{OFFICER_FOLDER}/{name}{SUFFIX}")
    return keys


def _jurisdiction(viewer: Viewer) -> str:
    if viewer.basin is not None:
        return f"basin{viewer.basin}"
    if viewer.lo <= NATION.lo and viewer.hi >= NATION.hi:
        return "nation"
    span = viewer.hi - viewer.lo
    return f"{viewer.lo // span:0{7 - len(str(span))}}"


def _scope(name: str) -> Viewer:
    """The jurisdiction that the name tells; one that tells none may hold anything."""
    found = SCOPED.search(name)
    if found is None or found["nation"]:
        return NATION
    if found["basin"]:
        return Viewer("officer", 0, 0, int(found["basin"]))
    span = 10 ** (6 - len(found["region"]))
    return Viewer("officer", int(found["region"]) * span, (int(found["region"]) + 1) * span)


def _within(scope: Viewer, viewer: Viewer) -> bool:
    if viewer.lo <= NATION.lo and viewer.hi >= NATION.hi:
        return True
    if scope.basin is not None or viewer.basin is not None:
        return scope.basin == viewer.basin
    return viewer.lo <= scope.lo and scope.hi <= viewer.hi
