"""
Tokens: what a client shows instead of a session, or to be let into a channel (JWT, RFC 7519).

Guarantee: a token counts only if it is signed with a key of this deployment, by an algorithm that
this key is for, and every claim that we read is what it must be. Whose tokens count is settings'
business (`shared.settings.tokens`); the clock is the caller's.

What is read of a token is bounded before anything is made of it, and nothing of a token is in any
exception, so that none of it can get into a log.

    from shared.tokens.signing import sign_connection, sign_subscription
    from shared.tokens.verification import verify_connection, verify_subscription

Whether the user is still there and active, and may still hear a channel, no token can know: its
reader asks the database. For that `issued_here` tells our own tokens from those of other servers.
"""
