"""Imports and the rows that they rejected."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class Import(Base):
    __tablename__ = "imports"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    kind: Mapped[str]
    filename: Mapped[str]
    stored_as: Mapped[str]
    sha256: Mapped[str]
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    state: Mapped[str] = mapped_column(server_default="waiting")
    rows_total: Mapped[int | None]
    rows_read: Mapped[int] = mapped_column(server_default="0")
    rows_rejected: Mapped[int] = mapped_column(server_default="0")
    rows_warned: Mapped[int] = mapped_column(server_default="0")
    rows_new: Mapped[int | None]
    rows_changed: Mapped[int | None]
    rows_same: Mapped[int | None]
    problem: Mapped[str | None]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("shuitu.users.id"))
    actor_name: Mapped[str]
    scope_lo: Mapped[int]
    scope_hi: Mapped[int]
    scope_basin: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
