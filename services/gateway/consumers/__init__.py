"""I/O shells between Daphne and the gateway: one per endpoint."""
