"""Runs the migrations with the driver that DATABASE_DRIVER names."""

import asyncio
import os

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.ext.asyncio import create_async_engine

from models_db import Base

target_metadata = Base.metadata


def run_migrations(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_with_psycopg() -> None:
    with create_engine("postgresql+psycopg://", poolclass=pool.NullPool).connect() as connection:
        run_migrations(connection)


async def run_with_asyncpg() -> None:
    async with create_async_engine("postgresql+asyncpg://", poolclass=pool.NullPool).connect() as connection:
        await connection.run_sync(run_migrations)


if os.environ["DATABASE_DRIVER"] == "asyncpg":
    asyncio.run(run_with_asyncpg())
else:
    run_with_psycopg()
