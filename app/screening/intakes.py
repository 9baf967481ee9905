"""The part of the register that a run compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    import geopandas as gpd

MARGIN_DEGREES = 0.05
"""Intakes this far outside the scene may still serve what lies in it (about 5 km)."""


def intakes_near(session: Session, area: shapely.Geometry) -> gpd.GeoDataFrame:
    """The intakes that could serve what lies in the area (EPSG:4490), with the permits in force behind them."""
    import geopandas as gpd
    import pandas as pd

    west, south, east, north = shapely.bounds(area)
    rows = session.execute(
        text("""
        select i.id, i.code, i.name, i.holder_name, i.source_type, i.status, i.permit_state, i.purpose,
               coalesce(i.position_error_m, 0) as position_error_m, st_x(i.geom) as lon, st_y(i.geom) as lat,
               coalesce(p.in_force, false) as has_valid_permit, p.permitted_m3
        from shuitu.intakes i
        left join lateral (
          select bool_or(p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date)) as in_force,
                 sum(p.annual_volume_m3) filter (where p.status = 'valid' and (p.valid_to is null or p.valid_to >= current_date))
                   as permitted_m3
          from shuitu.permit_intakes pi join shuitu.permits p on p.id = pi.permit_id
          where pi.intake_id = i.id and pi.valid_to is null) p on true
        where i.geom && st_makeenvelope(:w, :s, :e, :n, 4490)"""),
        {
            "w": west - MARGIN_DEGREES,
            "s": south - MARGIN_DEGREES,
            "e": east + MARGIN_DEGREES,
            "n": north + MARGIN_DEGREES,
        },
    )
    frame = pd.DataFrame(rows.all(), columns=list(rows.keys()))
    frame["permitted_m3"] = pd.to_numeric(frame["permitted_m3"], errors="coerce").astype(np.float64)
    frame["position_error_m"] = frame["position_error_m"].astype(np.float64)
    frame["has_valid_permit"] = frame["has_valid_permit"].astype(bool)
    return gpd.GeoDataFrame(
        frame.drop(columns=["lon", "lat"]),
        geometry=gpd.points_from_xy(frame["lon"], frame["lat"]),
        crs="EPSG:4490",
    )
