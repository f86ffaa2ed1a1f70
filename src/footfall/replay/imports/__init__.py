"""Import: interactions of the past, from files, into the log. docs/import.md."""
