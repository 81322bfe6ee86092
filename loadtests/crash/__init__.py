"""Breaking things on purpose: the whole engine as real processes, faults, and a judge.

`system` starts everything, `scenarios` break it, `judge` holds the ledger against the provider's
own receipts. `tests/scenarios` runs the short forms, `scripts/crashtest` the long ones.
"""
