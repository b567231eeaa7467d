"""aio-pika: `connect_robust` restores the connection, the topology and the consumer."""

import asyncio
import json
import sys

import aio_pika
import aiormq.exceptions
from aio_pika.abc import AbstractIncomingMessage

url, queue_name = sys.argv[1:]


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def topology(channel):
    exchange = await channel.declare_exchange("api.events", "topic", durable=True)
    queue = await channel.declare_queue(queue_name, durable=True)
    await queue.bind(exchange, "feed.#")
    await queue.bind(exchange, "stop")
    return exchange, queue


async def check() -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange, queue = await topology(channel)
        await exchange.publish(aio_pika.Message(b"self"), "feed.self", mandatory=True)
        message = await queue.get()
        await message.ack()
        try:
            await channel.declare_queue("missing", passive=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            say(get=message.body.decode(), missing=404)


async def main() -> None:
    await check()
    stopped = asyncio.Event()

    async def on_message(message: AbstractIncomingMessage) -> None:
        say(
            key=message.routing_key,
            body=message.body.decode(),
            type=message.content_type,
            sensor=message.headers.get("sensorId", 0),
            redelivered=message.redelivered,
        )
        if message.body == b"hold" and not message.redelivered:
            return
        if message.body == b"reject" and not message.redelivered:
            await message.reject(requeue=True)
            return
        await message.ack()
        if message.routing_key == "stop":
            stopped.set()

    connection = await aio_pika.connect_robust(url, reconnect_interval=0.1, fail_fast=True)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=5)
    _, queue = await topology(channel)
    await queue.consume(on_message)
    ready = 1
    say(ready=ready)

    def on_reconnect(*_: object) -> None:
        nonlocal ready
        ready += 1
        say(ready=ready)

    connection.reconnect_callbacks.add(on_reconnect)
    await stopped.wait()
    await connection.close()


asyncio.run(main())
