"""Word to people and programs about what their campaigns do, by an outbox in PostgreSQL."""
