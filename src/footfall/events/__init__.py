"""The log's records: model, keys, Avro, JSON to event. Pure but for registry.py."""
