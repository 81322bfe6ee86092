"""An index over what many devices have in common, and the order of app versions."""

from django.db import migrations, models

# A version's leading numbers; `devices.segments.versions` says and does the same.
VERSION_KEY = r"""
CREATE FUNCTION pushcore_version_key(version text) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT string_to_array(substring(
     version FROM '^[vV]?([0-9]{1,15}(?:\.[0-9]{1,15}){0,5})'), '.')::bigint[] $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0003_faster_digest'),
    ]

    operations = [
        migrations.RunSQL(VERSION_KEY, "DROP FUNCTION pushcore_version_key(text)"),
        migrations.AddIndex(
            model_name='devicetoken',
            index=models.Index(condition=models.Q(('is_active', True)), fields=['app_version', 'country', 'language', 'platform', 'timezone'], name='device_facts'),
        ),
    ]
