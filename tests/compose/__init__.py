"""`make test-compose`: docker-compose.yml as somebody with a server would use it."""
