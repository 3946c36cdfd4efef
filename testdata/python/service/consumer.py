"""Reads the topic from the beginning, and prints each event as one line of JSON.

    python consumer.py BROKERS GROUP

It ends with an error at an event that the models do not accept.
"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer

from events import TOPIC, ClassUpdatedV1, EventEnvelope


async def consume(brokers: str, group: str) -> None:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        async for record in consumer:
            event = EventEnvelope[ClassUpdatedV1].model_validate_json(record.value)
            print(
                json.dumps(
                    {
                        "event_id": str(event.event_id),
                        "correlation_id": str(event.correlation_id),
                        "headers": {name: value.decode() for name, value in record.headers},
                        "key": record.key.decode(),
                        "class_id": event.data.class_id,
                        "version": event.data.class_designation,
                        "value": record.value.decode(),
                    }
                ),
                flush=True,
            )
            await consumer.commit()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(consume(*sys.argv[1:]))
