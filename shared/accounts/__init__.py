"""People: users with a language and a time zone, and the names that nobody may take."""
