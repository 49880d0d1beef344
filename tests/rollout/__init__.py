"""What people notice of a rolling deployment: nothing but a short pause. Tried, and measured."""
