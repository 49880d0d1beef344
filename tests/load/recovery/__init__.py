"""
What `python -m tests.load.recovery` runs: clients that come back, to one gateway.

What each was told is compared with the log. PostgreSQL and RabbitMQ take part.
"""
