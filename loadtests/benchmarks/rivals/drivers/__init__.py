"""One small program for each rival in Python, as its documentation would have it.

They run in the rivals' environment, which holds nothing of Pushcore's. `driving` says how a
driver and who measures it talk; the drivers in `../node` keep to the same.
"""
