"""The encrypted datums of maps on the web."""

DATUMS = {"CGCS2000", "WGS84", "GCJ-02", "BD-09"}


def to_wgs84(lon: float, lat: float, datum: str) -> tuple[float, float]:
    """A GCJ-02 or BD-09 position in WGS 84, to centimetres."""
    import geocoordinates_ffi as datums

    if datum == "BD-09":
        found = datums.bd09_to_wgs84_refined(datums.Bd09(lon=lon, lat=lat))
    else:
        found = datums.gcj02_to_wgs84_refined(datums.Gcj02(lon=lon, lat=lat))
    return float(found.lon), float(found.lat)
