"""What Django's own operations can't say of the ledger: rules over arrays, and the log view."""

from django.db import migrations

RULES = """
ALTER TABLE campaigns_deliverybatch
    ADD CONSTRAINT batch_size_bounded CHECK (cardinality(device_ids) BETWEEN 1 AND 1000),
    ADD CONSTRAINT batch_outcome_each CHECK (
        outcomes IS NULL OR cardinality(outcomes) = cardinality(device_ids)),
    ADD CONSTRAINT batch_outcome_known CHECK (outcomes <@ ARRAY[0, 1, 2, 3, 4, 5]::smallint[]),
    ADD CONSTRAINT batch_settled_whole CHECK (
        state NOT IN ('settled', 'cancelled')
        OR (outcomes IS NOT NULL AND NOT outcomes @> ARRAY[0]::smallint[]
            AND success_count + failure_count + unknown_count + skipped_count
                = cardinality(device_ids)));
"""
UNRULES = """
ALTER TABLE campaigns_deliverybatch
    DROP CONSTRAINT batch_size_bounded, DROP CONSTRAINT batch_outcome_each,
    DROP CONSTRAINT batch_outcome_known, DROP CONSTRAINT batch_settled_whole;
"""

# "What did this device get?": the ids of a batch ascend, so its range finds it.
RANGE_INDEX = """
CREATE INDEX batch_device_range ON campaigns_deliverybatch
    USING gist (int8range(device_ids[1], device_ids[cardinality(device_ids)], '[]'));
"""

# Message ids are random: trying to compress them costs processor time and saves nothing.
STORAGE = "ALTER TABLE campaigns_deliverybatch ALTER COLUMN message_ids SET STORAGE EXTERNAL"
UNSTORAGE = "ALTER TABLE campaigns_deliverybatch ALTER COLUMN message_ids SET STORAGE EXTENDED"

# One unnest of all arrays side by side: a subscript would fetch the whole array for every device.
LOG_VIEW = """
CREATE VIEW campaigns_pushlog AS
SELECT batch.id * 1000 + entry.place - 1 AS id,
       batch.campaign_id,
       entry.device_id,
       (ARRAY['pending', 'success', 'invalid', 'failed', 'unknown', 'skipped'])
           [coalesce(entry.outcome, 0) + 1] AS status,
       coalesce(batch.errors -> (entry.place - 1)::text ->> 'code', '') AS error,
       coalesce(entry.message_id, '') AS message_id,
       batch.sent_at
  FROM campaigns_deliverybatch AS batch,
       unnest(batch.device_ids, batch.outcomes, batch.message_ids) WITH ORDINALITY
           AS entry (device_id, outcome, message_id, place)
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [
        migrations.RunSQL(RULES, UNRULES),
        migrations.RunSQL(RANGE_INDEX, "DROP INDEX batch_device_range"),
        migrations.RunSQL(STORAGE, UNSTORAGE),
        migrations.RunSQL(LOG_VIEW, "DROP VIEW campaigns_pushlog"),
    ]
