"""What all services share: the pipeline around handlers, credentials, errors, bodies, streams."""
