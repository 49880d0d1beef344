"""HTTP in, rows and publications out: pages for people, a JSON API for their scripts."""
