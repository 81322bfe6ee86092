"""What is broken: one function each, the same steps for short and long runs."""
