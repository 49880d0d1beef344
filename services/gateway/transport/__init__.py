"""How frames get to sockets: Daphne's server with its way of writing replaced, and bounded."""
