"""Who may do what: organizations, their API keys and roles."""
