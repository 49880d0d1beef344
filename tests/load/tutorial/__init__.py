"""
The baseline of `make bench-bulk`: bulk notifications as a tutorial on Django Channels writes them.

A Celery task loops over user ids, stores a row for each through the ORM and sends it to the user's
group; a consumer in one Daphne has put each connected user into a group of their own. It runs on
the servers that Carillon runs on, with its database settings. Nothing of Carillon uses it.
"""
