"""How the bus encodes things: identities, times, addresses, raw events, bundles, JSON, AMQP."""
