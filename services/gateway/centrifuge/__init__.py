"""
The Centrifuge client protocol v2 in JSON: what maintained clients in seven languages speak.

    commands    what clients send: from text to typed commands
    replies     what they are told: text
    connection  what one client may do next; no I/O
    client      the shell around it: database, hub, socket

The schema is `client.proto` of centrifugal/protocol; names are its.
"""
