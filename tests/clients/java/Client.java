// RabbitMQ's Java client: automatic recovery of connection, topology and consumers, as it is set by default.
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

public class Client {
    static String queue;

    static synchronized void say(String line) {
        System.out.println(line);
    }

    static void topology(Channel channel) throws IOException {
        channel.exchangeDeclare("api.events", "topic", true);
        channel.queueDeclare(queue, true, false, false, null);
        channel.queueBind(queue, "api.events", "feed.#");
        channel.queueBind(queue, "api.events", "stop");
    }

    static void check(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        topology(channel);
        channel.confirmSelect();
        channel.basicPublish("api.events", "feed.self", true, null, "self".getBytes());
        channel.waitForConfirmsOrDie(10_000);
        var got = channel.basicGet(queue, false);
        channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
        try {
            channel.queueDeclarePassive("missing");
        } catch (IOException error) {
            var reason = ((ShutdownSignalException) error.getCause()).getReason();
            int code = ((AMQP.Channel.Close) reason).getReplyCode();
            say("{\"get\": \"" + new String(got.getBody()) + "\", \"missing\": " + code + "}");
        }
    }

    public static void main(String[] args) throws Exception {
        queue = args[1];
        var factory = new ConnectionFactory();
        factory.setUri(args[0]);
        factory.setNetworkRecoveryInterval(100);
        var connection = factory.newConnection();
        check(connection);
        var stopped = new CountDownLatch(1);
        var ready = new AtomicInteger();
        var channel = connection.createChannel();
        topology(channel);
        channel.basicQos(5);
        channel.basicConsume(queue, false, new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(
                    String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] bytes)
                    throws IOException {
                String body = new String(bytes);
                Map<String, Object> headers = properties.getHeaders();
                Object sensor = headers == null ? 0 : headers.getOrDefault("sensorId", 0);
                boolean again = envelope.isRedeliver();
                say(String.format(
                        "{\"key\": \"%s\", \"body\": \"%s\", \"type\": \"%s\", \"sensor\": %s, \"redelivered\": %s}",
                        envelope.getRoutingKey(), body, properties.getContentType(), sensor, again));
                if (body.equals("hold") && !again) {
                    return;
                }
                if (body.equals("reject") && !again) {
                    channel.basicReject(envelope.getDeliveryTag(), true);
                    return;
                }
                channel.basicAck(envelope.getDeliveryTag(), false);
                if (envelope.getRoutingKey().equals("stop")) {
                    stopped.countDown();
                }
            }
        });
        say("{\"ready\": " + ready.incrementAndGet() + "}");
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable it) {
                say("{\"ready\": " + ready.incrementAndGet() + "}");
            }

            @Override
            public void handleRecoveryStarted(Recoverable it) {}
        });
        stopped.await();
        connection.close();
    }
}
