"""What the server says of itself: its own metrics and traces."""
