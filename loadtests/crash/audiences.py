"""Devices to send to, made in the database: their addresses say how the provider treats them."""

from __future__ import annotations

from collections.abc import Mapping

from loadtests.crash.campaign import Audience
from loadtests.crash.database import Database

# An address with the prefix of an explicit behaviour gets it; all others are accepted. The
# troubled are spread evenly: 7919 is prime, so its multiples visit all of 0…999 in turn.
_MAKE = """
INSERT INTO devices_devicetoken (project_id, user_id, address, platform)
SELECT project.id, %s,
       coalesce((SELECT 'e1.' || trouble.name || '.'
                   FROM unnest(%s::text[], %s::int[], %s::int[]) AS trouble (name, low, high)
                  WHERE number * 7919 %% 1000 >= low AND number * 7919 %% 1000 < high), '')
       || %s || '-' || number, 'android'
  FROM devices_fcmproject AS project, generate_series(1::bigint, %s) AS number
 WHERE project.project_id = %s
 ORDER BY number
"""
_HAVE = "SELECT 1 FROM devices_devicetoken WHERE user_id = %s LIMIT 1"


def prepare_audience(
    database: Database,
    name: str,
    *,
    devices: int,
    project: str,
    troubles: Mapping[str, float] | None = None,
) -> Audience:
    """Return an audience of so many devices of `project`, made if it is not there.

    `troubles` gives the share (0…1, in thousandths) of the devices that meet each behaviour of
    the emulator (`loadtests.fcm_emulator.behaviours`).
    """
    user_id = f"{name}-{devices}"
    if not database.value(_HAVE, user_id):
        lows, highs, low = [], [], 0
        for share in (troubles or {}).values():
            lows.append(low)
            low += round(share * 1_000)
            highs.append(low)
        names = list(troubles or {})
        database.rows(_MAKE, user_id, names, lows, highs, user_id, devices, project)
        database.rows("ANALYZE devices_devicetoken")
    return Audience(user_id, devices)
