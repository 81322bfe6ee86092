"""Programs that measure the whole engine, running: each prints one JSON object."""
