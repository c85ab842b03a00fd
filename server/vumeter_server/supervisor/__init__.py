"""Server and Envoy as child processes."""
