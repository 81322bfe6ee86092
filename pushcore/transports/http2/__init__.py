"""The default transport: FCM over HTTP/2, hundreds of messages in flight in one process.

    frames, headers   the bytes of RFC 9113 and HPACK, as far as a client that only posts needs them
    output            what is to be written, within the server's windows
    connection        one connection without its socket: streams, answers, what a loss means
    opening, link     the socket: opened without waiting, read and written as far as it goes
    pool              connections from batch to batch, and what waits for a place on one of them
    transport         batches over the pool, through the gated loop that libcurl's share

It is our own because sending is what this engine is for: a quarter of libcurl's processor time for
a message (docs/performance.md), and exact knowledge of what the server cannot have seen.
`pushcore.transports.curl` does the same by libcurl.
"""

from pushcore.transports.http2.transport import Http2Transport

__all__ = ["Http2Transport"]
