"""Measurements that are run by hand or by `scripts/bench`, never as tests."""
