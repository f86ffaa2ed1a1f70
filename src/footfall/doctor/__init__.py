"""What is configured, reachable and well, and what to change. One program: `footfall doctor`."""
