"""Who may do what: API keys, roles, throttles, and the trail of who did it."""
