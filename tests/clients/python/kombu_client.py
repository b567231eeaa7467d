"""kombu: a ConsumerMixin, which connects again and restores its consumers by itself."""

import json
import sys

from amqp.exceptions import NotFound
from kombu import Connection, Consumer, Exchange, Queue, binding
from kombu.mixins import ConsumerMixin
from kombu.utils.limits import TokenBucket

url, queue_name = sys.argv[1:]

exchange = Exchange("api.events", "topic", durable=True)
queue = Queue(
    queue_name,
    bindings=[binding(exchange, routing_key="feed.#"), binding(exchange, routing_key="stop")],
    durable=True,
)


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def check(connection: Connection) -> None:
    with connection.channel() as channel:
        bound = queue(channel)
        bound.declare()
        producer = connection.Producer(channel, exchange)
        producer.publish("self", routing_key="feed.self", mandatory=True)
        message = bound.get()
        message.ack()
        try:
            Queue("missing", channel=channel).queue_declare(passive=True)
        except NotFound as error:
            say(get=message.payload, missing=error.code)


class Worker(ConsumerMixin):
    restart_limit = TokenBucket(20)
    ready = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get_consumers(self, consumer: type[Consumer], channel: object) -> list[Consumer]:
        return [consumer([queue], on_message=self.on_message, prefetch_count=5)]

    def on_consume_ready(self, *_: object, **__: object) -> None:
        self.ready += 1
        say(ready=self.ready)

    def on_message(self, message: object) -> None:
        redelivered = message.delivery_info["redelivered"]
        text = message.body if isinstance(message.body, str) else message.body.decode()
        say(
            key=message.delivery_info["routing_key"],
            body=text,
            type=message.content_type,
            sensor=message.headers.get("sensorId", 0),
            redelivered=bool(redelivered),
        )
        if text == "hold" and not redelivered:
            return
        if text == "reject" and not redelivered:
            message.reject(requeue=True)
            return
        message.ack()
        if message.delivery_info["routing_key"] == "stop":
            self.should_stop = True


with Connection(url, transport_options={"confirm_publish": True}) as connection:
    check(connection)
    Worker(connection).run()
