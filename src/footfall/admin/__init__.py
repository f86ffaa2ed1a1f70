"""Administration from the command line: configuration, topics, schemas."""
