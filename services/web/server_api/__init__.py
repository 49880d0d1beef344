"""
The server API: `POST /api/<method>`, by which other servers publish, ask, and steer connections.

It has the shape of Centrifugo's, so that client libraries made for that one work unmodified; what
it takes and answers is in docs/server-api.md. Everything that is written goes through
`shared.realtime.actions`. Nothing here knows sessions: a server stands on its key alone.
"""
