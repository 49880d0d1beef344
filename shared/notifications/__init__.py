"""What people are told: announcements to everybody, now; each user's inbox with them."""
