"""Triggers on their way to who must act: routes, policy, channels, an account of each attempt."""
