"""Bulk jobs: one notification to many people, durably, once each, in chunks."""
