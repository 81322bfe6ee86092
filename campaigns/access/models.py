"""Tables: API keys."""
