"""How brokers are reached."""
