"""The single customer view: what is shown of a customer, to whom, and the copy in Redis."""
