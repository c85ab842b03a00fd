"""Files of what was recorded: written by exports, read by imports."""
