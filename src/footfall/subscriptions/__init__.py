"""Subscriptions: triggers as they come to whoever listens, from where they left off."""
