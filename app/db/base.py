"""The base of the typed models. Migrations are written by hand; a test holds the models against them."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Tables of schema shuitu."""

    metadata = MetaData(schema="shuitu")
