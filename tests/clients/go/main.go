// amqp091-go has no recovery of its own; its users dial again after NotifyClose.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	url, queue = os.Args[1], os.Args[2]
	ready      = 0
)

func say(what map[string]any) {
	line, _ := json.Marshal(what)
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func topology(channel *amqp.Channel) error {
	if err := channel.ExchangeDeclare("api.events", "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	if err := channel.QueueBind(queue, "feed.#", "api.events", false, nil); err != nil {
		return err
	}
	return channel.QueueBind(queue, "stop", "api.events", false, nil)
}

func check(connection *amqp.Connection) {
	channel, err := connection.Channel()
	must(err)
	must(topology(channel))
	must(channel.Confirm(false))
	confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "api.events",
		"feed.self", true, false, amqp.Publishing{Body: []byte("self")})
	must(err)
	if !confirm.Wait() {
		must(errors.New("not confirmed"))
	}
	got, _, err := channel.Get(queue, false)
	must(err)
	must(got.Ack(false))
	_, err = channel.QueueDeclarePassive("missing", true, false, false, false, nil)
	var refused *amqp.Error
	if errors.As(err, &refused) {
		say(map[string]any{"get": string(got.Body), "missing": refused.Code})
	}
}

// consume returns true after the message that stops it, and false when the connection is lost.
func consume() (bool, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return false, err
	}
	defer connection.Close()
	if ready == 0 {
		check(connection)
	}
	channel, err := connection.Channel()
	if err != nil {
		return false, err
	}
	if err := topology(channel); err != nil {
		return false, err
	}
	if err := channel.Qos(5, 0, false); err != nil {
		return false, err
	}
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return false, err
	}
	ready++
	say(map[string]any{"ready": ready})
	for one := range deliveries {
		sensor := one.Headers["sensorId"]
		if sensor == nil {
			sensor = 0
		}
		body := string(one.Body)
		say(map[string]any{"key": one.RoutingKey, "body": body, "type": one.ContentType,
			"sensor": sensor, "redelivered": one.Redelivered})
		switch {
		case body == "hold" && !one.Redelivered:
		case body == "reject" && !one.Redelivered:
			err = one.Reject(true)
		default:
			err = one.Ack(false)
		}
		if err != nil {
			return false, err
		}
		if one.RoutingKey == "stop" {
			return true, nil
		}
	}
	return false, nil
}

func main() {
	for {
		stopped, err := consume()
		if stopped {
			return
		}
		if ready == 0 {
			must(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
