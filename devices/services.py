"""What happens to devices, whoever asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

_DEACTIVATE = """
UPDATE devices_devicetoken AS device
   SET is_active = false, inactive_reason = 'dead_address',
       inactive_since = %(now)s, updated_at = %(now)s
  FROM (
    SELECT found.id FROM devices_devicetoken AS found
      JOIN unnest(%(ids)s::bigint[], %(addresses)s::text[]) AS dead (id, address)
        ON found.id = dead.id AND found.address = dead.address
     WHERE found.is_active ORDER BY found.id FOR UPDATE OF found
  ) AS locked
 WHERE device.id = locked.id
"""


def deactivate_dead(*, devices: Sequence[tuple[int, str]], now: datetime) -> int:
    """Deactivate devices (id, address) that the provider called dead; return how many.

    A device whose address has changed since it was sent to is left alone. Rows are locked in the
    order of their ids, so that two campaigns that meet the same dead devices can't deadlock.
    """
    ids, addresses = zip(*devices, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_DEACTIVATE, {"ids": list(ids), "addresses": list(addresses), "now": now})
        return int(cursor.rowcount)
