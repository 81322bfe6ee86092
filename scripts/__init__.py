"""What a person runs: one verb per file; the work is done by the modules beside them."""
