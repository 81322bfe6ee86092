"""An FCM HTTP v1 on loopback: the judge of every claim about what was sent, and how often.

Run it as `python -m loadtests.fcm_emulator`; start it from Python with `process.launch`; steer
and question it with `control.EmulatorControl`. What it checks and what it cannot tell stands in
`docs/emulator.md`.

It shares no code with what it judges: a mistake in a common module would be made and accepted by
both. Where `frames` looks like `pushcore.transports.http2.frames`, that is RFC 9113, written twice.
"""
