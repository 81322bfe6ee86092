"""Campaigns to segments and lists, and what these came to at the launch."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_progress'),
        ('segments', '0001_segments_and_lists'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='pushcampaign',
            name='exclude_segment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='segments.segment'),
        ),
        migrations.AddField(
            model_name='pushcampaign',
            name='exclude_user_list',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='segments.userlist'),
        ),
        migrations.AddField(
            model_name='pushcampaign',
            name='fixed_rules',
            field=models.JSONField(editable=False, help_text='What the four above came to at the launch; null where none of them is named.', null=True),
        ),
        migrations.AddField(
            model_name='pushcampaign',
            name='segment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='segments.segment'),
        ),
        migrations.AddField(
            model_name='pushcampaign',
            name='user_list',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='segments.userlist'),
        ),
        migrations.AddConstraint(
            model_name='pushcampaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('segment__isnull', True), ('target_user_ids', []), ('user_list__isnull', True)), models.Q(('segment__isnull', True), ('target_all', False), ('user_list__isnull', True)), models.Q(('target_all', False), ('target_user_ids', []), ('user_list__isnull', True)), models.Q(('segment__isnull', True), ('target_all', False), ('target_user_ids', [])), _connector='OR'), name='campaign_one_audience'),
        ),
    ]
