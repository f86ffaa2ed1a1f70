"""Reading what runs: `footfall tail`."""
