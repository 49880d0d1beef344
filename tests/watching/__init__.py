"""The dashboards on a stack that does something: a load, a Prometheus, what they must show."""
