"""The durable engine: leases, the step of a visit, retries, the ledger, the log, and the way back."""
