"""
The Centrifuge client protocol v2 in JSON: what maintained clients in seven languages speak.

    commands       what clients send: from text to typed commands; no I/O
    replies        what they are told: text; no I/O
    connection     what one client may do next: state, channels, limits; no I/O
    steps          what the rules of a connection say is to be done; no I/O
    visitors       who wants in, and what they hear without asking
    overrides      what a token or a server wants of one subscription

    client         the shell around a connection: its beginning, what servers want of it, its end
    conversation   from a client's frames to what is done for each command
    credentials    from a token or a session to a visitor
    entrance       the first command: lets a visitor in, or turns it away
    answers        commands of who is in, but subscribe
    subscriptions  subscribe commands, and what servers have a client hear
    channels       a client's channels as the hub has them: prepared, joined, left
    heart          pings, and what happens when no pong comes
    ahead          reads what comes before its turn, where no transport of ours does
    expiry         credentials that end

The schema is `client.proto` of centrifugal/protocol; names are its.
"""
