"""
What `make bench` runs (docs/performance.md): one group's fan-out, beside other servers.

`client.c` makes the load; `reference.c` is as fast as a server can be, `server.py` is ours.
"""
