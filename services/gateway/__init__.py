"""
The gateway: holds WebSockets, delivers each channel's publications once and in order.

    frame -> consumers -> namespace -> the log (in a database thread) -> hub, and bell
    bell  -> doorbell  -> hub -> live channel -> group -> connections
    head check and repair read the log for what no bell told
    revocations is a member of its channel itself, and ends connections

All of it runs in one event loop; the database threads and the probe's thread are the only others.
"""
