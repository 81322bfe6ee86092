"""Writing devices to files, as the import reads them: streamed by the database, in flat memory."""

from __future__ import annotations

from typing import IO, Final, LiteralString

from django.db import connection
from psycopg2 import sql

from devices.reading import FileFormat

_DEVICES: Final[LiteralString] = """
SELECT project.project_id AS project, device.user_id, device.address, device.address_kind,
       device.platform, device.language, device.country, device.timezone, device.app_version,
       device.tags,
       to_char(device.last_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           AS last_seen_at
FROM devices_devicetoken device
JOIN devices_fcmproject project ON project.id = device.project_id
WHERE (device.is_active OR NOT {only_active})
  AND ({project} = '' OR project.project_id = {project})
ORDER BY device.id
"""
_COPIES: Final[dict[FileFormat, LiteralString]] = {
    FileFormat.CSV: "COPY ({rows}) TO STDOUT WITH (FORMAT csv, HEADER)",
    # JSON escapes control characters, so these never occur in it and nothing is quoted.
    FileFormat.NDJSON: (
        "COPY (SELECT row_to_json(one) FROM ({rows}) one) TO STDOUT"
        r" WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"
    ),
}


def export_devices(
    *, out: IO[bytes], file_format: FileFormat, project: str | None, only_active: bool
) -> int:
    """Write the devices, in the order of their registration; return how many.

    Addresses are written whole: the file is as secret as the table.
    """
    rows = sql.SQL(_DEVICES).format(
        only_active=sql.Literal(only_active), project=sql.Literal(project or "")
    )
    with connection.cursor() as cursor:
        cursor.copy_expert(sql.SQL(_COPIES[file_format]).format(rows=rows), out)
        count: int = cursor.rowcount
    return count
