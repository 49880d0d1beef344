"""
What `python -m tests.load.durable` runs: people who speak in a room, and what is stored of it.

A message counts when it was acknowledged, which is after its commit. PostgreSQL, RabbitMQ and one
gateway take part.
"""
