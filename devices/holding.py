"""Many new devices in one transaction: that their projects exist is seen to once, by a lock.

The lock keeps the projects from being deleted. The foreign key's own trigger takes the same lock
for each row, which is a fifth of an import's cost. It goes on checking where the role may not let
it rest, where a project has gone, and where anybody has put triggers of their own on the devices,
which would rest with it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_HOLD: Final = """
SELECT set_config('session_replication_role', 'replica', true)
 WHERE has_parameter_privilege('session_replication_role', 'SET')
   AND NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = 'devices_devicetoken'::regclass AND NOT tgisinternal)
   AND cardinality(%(projects)s::bigint[]) = (
     SELECT count(*) FROM (SELECT FROM devices_fcmproject
                            WHERE id = ANY (%(projects)s::bigint[]) FOR KEY SHARE) AS held)
"""


def hold_projects(cursor: CursorWrapper, projects: Collection[int]) -> None:
    """Hold the projects of whatever the transaction goes on to write, each by its key."""
    cursor.execute(_HOLD, {"projects": list(projects)})
