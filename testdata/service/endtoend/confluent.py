"""Reads and writes records with Confluent's JSON Schema serialisers.

confluent.py read BROKERS REGISTRY TOPIC NUMBER    prints each value on a line
confluent.py write BROKERS REGISTRY TOPIC          writes the values on its input, a line each,
                                                   with the schema id before the value
confluent.py write-guid BROKERS REGISTRY TOPIC     the same, with the schema's GUID in a header
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

PATIENCE = 60  # seconds


def read(brokers, registry, topic, number):
    # It gets the schema that each record names, and validates the value.
    decode = JSONDeserializer(None, schema_registry_client=registry)
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "confluent", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    for _ in range(int(number)):
        message = consumer.poll(PATIENCE)
        if message is None:
            sys.exit("no record came")
        if message.error():
            sys.exit(str(message.error()))
        context = SerializationContext(topic, MessageField.VALUE, message.headers())
        print(json.dumps(decode(message.value(), context)))
    consumer.close()


def write(brokers, registry, topic, put_id=prefix_schema_id_serializer):
    conf = {"auto.register.schemas": False, "use.latest.version": True, "schema.id.serializer": put_id}
    encode = JSONSerializer(None, registry, conf=conf)
    producer = Producer({"bootstrap.servers": brokers})
    for line in sys.stdin:
        value = json.loads(line)
        context = SerializationContext(topic, MessageField.VALUE, [])
        encoded = encode(value, context)
        producer.produce(topic, key=value["data"]["batch_id"], value=encoded, headers=context.headers)
    if producer.flush(PATIENCE):
        sys.exit("not every record was written")


def write_guid(brokers, registry, topic):
    write(brokers, registry, topic, header_schema_id_serializer)


if __name__ == "__main__":
    command, brokers, registry, *rest = sys.argv[1:]
    {"read": read, "write": write, "write-guid": write_guid}[command](brokers, SchemaRegistryClient({"url": registry}), *rest)
