"""What all services share: the pipeline around every handler, credentials and the error table."""
