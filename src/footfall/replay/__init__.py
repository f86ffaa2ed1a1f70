"""Replay and backfill: the past, again, without side effects. docs/replay.md."""
