"""
What `python -m tests.load.live` runs: one real gateway with thousands who are signed in.

Sessions, rooms, the log and RabbitMQ take part, unlike in `tests.load.fanout`.
"""
