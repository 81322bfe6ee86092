"""`scripts/demo`: one campaign through the real parts, accounted for to the last device."""
