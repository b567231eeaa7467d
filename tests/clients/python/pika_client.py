"""pika's BlockingConnection: connects again by hand, as its documentation advises."""

import json
import sys
import time

import pika
import pika.exceptions

url, queue = sys.argv[1:]


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def topology(channel):
    channel.exchange_declare("api.events", "topic", durable=True)
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, "api.events", "feed.#")
    channel.queue_bind(queue, "api.events", "stop")


def check(connection):
    channel = connection.channel()
    topology(channel)
    channel.confirm_delivery()
    channel.basic_publish("api.events", "feed.self", b"self", mandatory=True)
    method, _, body = channel.basic_get(queue)
    channel.basic_ack(method.delivery_tag)
    try:
        channel.queue_declare("missing", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        say(get=body.decode(), missing=error.reply_code)


def on_message(channel, method, properties, body):
    say(
        key=method.routing_key,
        body=body.decode(),
        type=properties.content_type,
        sensor=(properties.headers or {}).get("sensorId", 0),
        redelivered=method.redelivered,
    )
    if body == b"hold" and not method.redelivered:
        return
    if body == b"reject" and not method.redelivered:
        channel.basic_reject(method.delivery_tag, requeue=True)
        return
    channel.basic_ack(method.delivery_tag)
    if method.routing_key == "stop":
        channel.stop_consuming()


ready = 0
while True:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        if not ready:
            check(connection)
        channel = connection.channel()
        topology(channel)
        channel.basic_qos(prefetch_count=5)
        channel.basic_consume(queue, on_message)
        ready += 1
        say(ready=ready)
        channel.start_consuming()
        connection.close()
        break
    except pika.exceptions.AMQPConnectionError:
        time.sleep(0.1)
