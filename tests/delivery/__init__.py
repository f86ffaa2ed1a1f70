"""Routes, policy, channels and the account of each attempt."""
