"""
Presence: which clients are in which channels, on all gateways.

Guarantee: a client is shown from a second after it came until a second after it left, and at most
thirty seconds after its gateway died. Each gateway writes the rows of its own clients under a lease
that it renews; a row counts while its lease is alive, and that is judged whenever somebody reads,
by the database's clock. Nothing has to be cleaned up for the truth to be told; dead gateways' rows
are deleted to save room.

Both tables are unlogged on PostgreSQL: nobody waits for the disk, and a crash of PostgreSQL empties
them. A gateway that finds its lease gone writes all that it has again.
"""
