"""The tables of Sendmeter's database, as SQLAlchemy maps them, and the connection."""

import os

from sqlalchemy import BigInteger, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

URL = os.environ["BENCHMARK_DATABASE"]
IS_SQLITE = URL.startswith("sqlite:")
POOL = {"pool_size": 40, "max_overflow": 0}
"""One connection for each of the threads that FastAPI runs `def` endpoints on."""

if IS_SQLITE:
    engine = create_engine(URL, connect_args={"timeout": 30}, **POOL)
else:
    engine = create_engine(URL.replace("postgresql:", "postgresql+psycopg:", 1), **POOL)
new_session = sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine, "connect")
def _configure(connection, _record):
    """Set what Sendmeter sets for SQLite."""
    if IS_SQLITE:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")


class Base(DeclarativeBase):
    """What all tables have in common: numbers are big ones."""

    type_annotation_map = {int: BigInteger}  # noqa: RUF012 - SQLAlchemy's own form


class Organization(Base):
    __tablename__ = "organizations"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str]
    name: Mapped[str]
    starts_at: Mapped[int]
    enforcement: Mapped[str]
    message_cap: Mapped[int | None]
    budget_cap_nano_usd: Mapped[int | None]


class ApiKey(Base):
    __tablename__ = "api_keys"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    scopes: Mapped[str]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class Cycle(Base):
    __tablename__ = "cycles"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    starts_at: Mapped[int] = mapped_column(primary_key=True)
    ends_at: Mapped[int]


class Event(Base):
    __tablename__ = "events"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str]
    quantity: Mapped[int]
    cost_nano_usd: Mapped[int | None]
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    occurred_at: Mapped[int]
    recorded_at: Mapped[int]
    cycle_starts_at: Mapped[int]
    late: Mapped[bool]
    metadata_: Mapped[str | None] = mapped_column("metadata")
    estimated_cost_nano_usd: Mapped[int | None]


class CycleCounter(Base):
    __tablename__ = "cycle_counters"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    cycle_starts_at: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    cost_nano_usd: Mapped[int]
    pending: Mapped[int]
    estimated_nano_usd: Mapped[int]


class DayCounter(Base):
    __tablename__ = "day_counters"
    organization_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    cost_nano_usd: Mapped[int]
    pending: Mapped[int]
    estimated_nano_usd: Mapped[int]
