"""The one error of this package."""


class ServersError(Exception):
    """A server could not be started, stopped or reached; the message is a sentence for a person."""
