"""Everything on one machine: brokers, child processes, data directory, `up` and `demo`."""
