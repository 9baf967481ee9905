"""The demo: real boundaries, rivers and lakes, and a generated register of the pilot prefecture 扬州 (321000)."""

from app.demo.accounts import DemoAccount
from app.demo.load import load

__all__ = ["DemoAccount", "load"]
