"""The single customer view."""
