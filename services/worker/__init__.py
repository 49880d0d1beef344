"""The worker: what may wait or takes long. Celery runs it; the embedded form a thread."""
