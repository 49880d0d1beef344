"""Units for one host: what systemd starts, and how a new version takes over."""
