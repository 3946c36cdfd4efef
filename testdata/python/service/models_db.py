"""The tables as the service's SQLAlchemy models describe them.

EventOutbox is not changed when the table is upgraded: the service goes on
inserting the columns that it knows.
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, DateTime, Index, Integer, String, Text, func
from sqlalchemy.dialects.postgresql import UUID as PostgresUUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class SchoolClass(Base):
    __tablename__ = "classes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, server_default="0")


class EventOutbox(Base):
    __tablename__ = "event_outbox"

    id: Mapped[UUID] = mapped_column(PostgresUUID(as_uuid=True), primary_key=True, default=uuid4)
    aggregate_id: Mapped[str] = mapped_column(String(255))
    aggregate_type: Mapped[str] = mapped_column(String(100))
    event_type: Mapped[str] = mapped_column(String(255))
    event_data: Mapped[dict[str, Any]] = mapped_column(JSON)
    event_key: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    retry_count: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_event_outbox_unpublished", "published_at", "created_at", postgresql_where="published_at IS NULL"),
        Index("ix_event_outbox_aggregate", "aggregate_type", "aggregate_id"),
        Index("ix_event_outbox_event_type", "event_type"),
    )
