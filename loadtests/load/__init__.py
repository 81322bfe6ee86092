"""`scripts/loadtest`: the whole system under the users of `loadtests/locustfile.py`."""
