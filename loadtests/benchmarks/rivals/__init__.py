"""What a user would pick instead of Pushcore, measured beside it on the same emulated provider.

Each rival is an unmodified library, installed into an environment of its own and driven as its
documentation says (`drivers/`, `node/`). It believes to talk to Google: in a network namespace
that holds nothing but loopback, Google's names lead to the emulator.
"""
