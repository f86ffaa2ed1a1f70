"""The log in files: written as it grows, read again by people's tools and by replay.
docs/archive.md.
"""
