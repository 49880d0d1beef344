"""
The door to RabbitMQ: bells out, and the topology that gateways and workers meet on.

Guarantee. Ringing never waits for the broker, never raises, and never fails a committed request:
a bell that cannot be sent is dropped and counted, and the gateways' head checks repair.

Concurrency. One publisher thread per process owns the one connection; callers only append to a
bounded queue. Nothing crosses a fork: a child process starts its own thread and connection.

Imports. This package is the lowest of `shared`; it knows no stream, no user and no app.
"""
