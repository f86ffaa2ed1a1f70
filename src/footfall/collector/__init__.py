"""Tracking calls over HTTP -> the log. One program: `footfall collector`."""
