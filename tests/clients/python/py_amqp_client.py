"""py-amqp: the library under kombu and Celery, used bare."""

import json
import sys
import time
from urllib.parse import unquote, urlsplit

import amqp
import amqp.exceptions

url, queue = sys.argv[1:]


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def connect() -> amqp.Connection:
    parts = urlsplit(url)
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        userid=parts.username,
        password=unquote(parts.password),
        virtual_host=unquote(parts.path[1:]) or "/",
        confirm_publish=True,
    )
    connection.connect()
    return connection


def topology(channel: amqp.Channel) -> None:
    channel.exchange_declare("api.events", "topic", durable=True, auto_delete=False)
    channel.queue_declare(queue, durable=True, auto_delete=False)
    channel.queue_bind(queue, "api.events", "feed.#")
    channel.queue_bind(queue, "api.events", "stop")


def check(connection: amqp.Connection) -> None:
    channel = connection.channel()
    topology(channel)
    channel.basic_publish(amqp.Message("self"), "api.events", "feed.self", mandatory=True)
    message = channel.basic_get(queue)
    channel.basic_ack(message.delivery_tag)
    try:
        channel.queue_declare("missing", passive=True)
    except amqp.exceptions.NotFound as error:
        say(get=message.body, missing=error.reply_code)


stopped = False


def on_message(message: amqp.Message) -> None:
    global stopped
    info = message.delivery_info
    body = message.body if isinstance(message.body, str) else message.body.decode()
    say(
        key=info["routing_key"],
        body=body,
        type=message.properties.get("content_type"),
        sensor=(message.headers or {}).get("sensorId", 0),
        redelivered=bool(info["redelivered"]),
    )
    if body == "hold" and not info["redelivered"]:
        return
    if body == "reject" and not info["redelivered"]:
        message.channel.basic_reject(message.delivery_tag, requeue=True)
        return
    message.channel.basic_ack(message.delivery_tag)
    stopped = info["routing_key"] == "stop"


ready = 0
while not stopped:
    try:
        connection = connect()
        if not ready:
            check(connection)
        channel = connection.channel()
        topology(channel)
        channel.basic_qos(0, 5, False)
        channel.basic_consume(queue, callback=on_message)
        ready += 1
        say(ready=ready)
        while not stopped:
            connection.drain_events()
        connection.close()
    except (amqp.exceptions.ConnectionError, OSError):
        time.sleep(0.1)
