"""API keys and the audit trail over HTTP."""
