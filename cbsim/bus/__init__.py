"""Where messages go: a broker, a file, nowhere."""
