"""Spare ANALYZE the ledger's arrays: no query is planned by what stands in them.

Every element of every sampled batch would be sorted and counted: seconds of processor time each
minute that campaigns are being sent, as a batch changes often enough to call for it. The index over
the range of ids would have the arrays read once more.
"""

from django.db import migrations

_SAMPLE = """
ALTER TABLE campaigns_deliverybatch
    ALTER COLUMN device_ids SET STATISTICS {target},
    ALTER COLUMN outcomes SET STATISTICS {target},
    ALTER COLUMN message_ids SET STATISTICS {target};
ALTER INDEX batch_device_range ALTER COLUMN 1 SET STATISTICS {target};
"""
DEFAULT = -1


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_by_platform")]

    operations = [
        migrations.RunSQL(_SAMPLE.format(target=0), _SAMPLE.format(target=DEFAULT)),
    ]
