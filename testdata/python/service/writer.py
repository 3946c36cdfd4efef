"""Changes classes and inserts the events, as the family's services do.

    python writer.py asyncpg EVENTS CLASS...   insert, and wake the relay by Redis
    python writer.py psycopg EVENTS CLASS...   insert while there is no relay

The i-th event is about the i-th class, and begins again after the last. Its
class_designation is the version of the class.
"""

import asyncio
import os
import sys

from redis.asyncio import Redis
from sqlalchemy import Connection, Engine, create_engine, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from events import TOPIC, ClassUpdatedV1, EventEnvelope
from models_db import EventOutbox, SchoolClass

SERVICE = os.environ["SERVICE_NAME"]


def update_class(connection: Connection, class_id: str) -> None:
    """Raise the version of the class, which locks its row, and insert the event."""
    connection.execute(insert(SchoolClass).values(id=class_id).on_conflict_do_nothing())
    version = connection.execute(
        update(SchoolClass)
        .where(SchoolClass.id == class_id)
        .values(version=SchoolClass.version + 1)
        .returning(SchoolClass.version)
    ).scalar_one()
    envelope = EventEnvelope[ClassUpdatedV1](
        event_type=TOPIC,
        source_service="class_management_service",
        data=ClassUpdatedV1(class_id=class_id, user_id="teacher-å", class_designation=str(version), course_codes=["SV2"]),
        metadata={"writer": "python"},
    )
    event_data = envelope.model_dump(mode="json")
    event_data["topic"] = TOPIC
    event_data["headers"] = {"event_id": str(envelope.event_id), "trace_id": str(envelope.correlation_id)}
    connection.execute(
        insert(EventOutbox).values(
            aggregate_id=class_id, aggregate_type="class", event_type=TOPIC, event_data=event_data, event_key=class_id
        )
    )


async def write(events: int, classes: list[str]) -> None:
    engine = create_async_engine("postgresql+asyncpg://")
    redis = Redis.from_url(os.environ["REDIS_URL"])
    for i in range(events):
        async with engine.begin() as connection:
            await connection.run_sync(update_class, classes[i % len(classes)])
        await redis.lpush(f"outbox:wake:{SERVICE}", "wake")
    await redis.aclose()
    await engine.dispose()


def write_without_relay(events: int, classes: list[str]) -> None:
    engine: Engine = create_engine("postgresql+psycopg://")
    for i in range(events):
        with engine.begin() as connection:
            update_class(connection, classes[i % len(classes)])
    engine.dispose()


if __name__ == "__main__":
    driver, count, *names = sys.argv[1:]
    if driver == "asyncpg":
        asyncio.run(write(int(count), names))
    else:
        write_without_relay(int(count), names)
