// amqplib: has no recovery of its own; its users connect again when the connection closes.
import amqplib from "amqplib";

const [url, queue] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
let ready = 0;

async function topology(channel) {
  await channel.assertExchange("api.events", "topic", { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, "api.events", "feed.#");
  await channel.bindQueue(queue, "api.events", "stop");
}

async function check(connection) {
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {}); // the one that is asked for below
  await topology(channel);
  channel.publish("api.events", "feed.self", Buffer.from("self"), { mandatory: true });
  await channel.waitForConfirms();
  const got = await channel.get(queue);
  channel.ack(got);
  try {
    await channel.checkQueue("missing");
  } catch (error) {
    say({ get: got.content.toString(), missing: error.code });
  }
}

function onMessage(connection, channel, message) {
  const { routingKey, redelivered } = message.fields;
  const body = message.content.toString();
  say({
    key: routingKey,
    body,
    type: message.properties.contentType,
    sensor: message.properties.headers?.sensorId ?? 0,
    redelivered,
  });
  if (body === "hold" && !redelivered) return;
  if (body === "reject" && !redelivered) return channel.reject(message, true);
  channel.ack(message);
  // The connection's close could overtake the ack; the channel's does not.
  if (routingKey === "stop") channel.close().then(() => connection.close());
}

async function consume() {
  const connection = await amqplib.connect(url);
  const closed = new Promise((resolve) => connection.on("close", resolve));
  connection.on("error", () => {}); // "close" follows
  if (ready === 0) await check(connection);
  const channel = await connection.createChannel();
  channel.on("error", () => {});
  await topology(channel);
  await channel.prefetch(5);
  let stopped = false;
  await channel.consume(queue, (message) => {
    stopped = message.fields.routingKey === "stop";
    onMessage(connection, channel, message);
  });
  say({ ready: ++ready });
  await closed;
  return stopped;
}

for (;;) {
  try {
    if (await consume()) break;
  } catch (error) {
    if (ready === 0) throw error;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
