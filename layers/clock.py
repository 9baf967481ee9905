"""The clock by which days are counted."""

from datetime import timedelta, timezone

CHINA = timezone(timedelta(hours=8))
"""China has one time, UTC+8: a day of the register or of the map is a day there, wherever the machine stands."""
