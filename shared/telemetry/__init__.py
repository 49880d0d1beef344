"""What a process tells about itself: metrics, logs, health. It knows no other part of Carillon."""
