"""Envoy in front of the server: its configuration for this start, and its process."""
