"""Footfall acts on what a customer does, while it happens: live state and triggers on Kafka."""

__version__ = "0.1.0"
