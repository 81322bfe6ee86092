"""Load tests and the emulated provider that judges them."""
