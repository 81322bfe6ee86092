"""What `scripts/bench` can measure: a subcommand each."""
