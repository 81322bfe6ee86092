"""Each batch's account by platform, so that a campaign's is read without its devices."""

from django.db import migrations, models

# Of what is there already: as the devices say now.
COUNT = """
UPDATE campaigns_deliverybatch AS batch
   SET by_platform = (
    SELECT jsonb_object_agg(platform, counts)
      FROM (SELECT coalesce(device.platform, '') AS platform,
                   jsonb_build_array(
                       count(*) FILTER (WHERE coalesce(entry.outcome, 0) = 0),
                       count(*) FILTER (WHERE entry.outcome = 1),
                       count(*) FILTER (WHERE entry.outcome = 2),
                       count(*) FILTER (WHERE entry.outcome = 3),
                       count(*) FILTER (WHERE entry.outcome = 4),
                       count(*) FILTER (WHERE entry.outcome = 5)) AS counts
              FROM unnest(batch.device_ids, batch.outcomes) AS entry (device_id, outcome)
              LEFT JOIN devices_devicetoken AS device ON device.id = entry.device_id
             GROUP BY 1) AS counted)
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_local_time")]

    operations = [
        migrations.AddField(
            model_name="deliverybatch",
            name="by_platform",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="Platform → how many of its devices have each outcome, in the order of "
                "their numbers, pending first; empty for devices that have been deleted.",
            ),
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
