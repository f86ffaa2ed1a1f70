"""Triggers on their way to who must act."""
