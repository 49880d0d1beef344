"""What people post, and what others say below it."""
