"""Segments, who was in them at a moment, and lists of user ids."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('devices', '0004_facts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rules', models.JSONField(help_text="The segment's, as they were when this was asked for.")),
                ('as_of', models.DateTimeField(help_text='The moment that the rules are applied at.')),
                ('status', models.CharField(choices=[('waiting', 'a worker will take it'), ('running', 'a worker is at it; one that was killed is followed by another'), ('completed', 'whole, and never changed again'), ('failed', 'given up; `failure` says why')], db_default='waiting', default='waiting', max_length=9)),
                ('through_id', models.BigIntegerField(default=0, help_text='Devices up to this id are decided.')),
                ('until_id', models.BigIntegerField(help_text='The last device id there was at the moment.')),
                ('android', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('ios', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('web', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('updated_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='MemberChunk',
            fields=[
                ('pk', models.CompositePrimaryKey('membership', 'first_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('first_id', models.BigIntegerField()),
                ('last_id', models.BigIntegerField()),
                ('device_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('membership', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='segments.membership')),
            ],
        ),
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('description', models.TextField(blank=True, default='', max_length=2000)),
                ('kind', models.CharField(choices=[('dynamic', 'at the launch of each campaign'), ('static', 'now, and whenever it is refreshed: campaigns get who was in it then')], max_length=7)),
                ('rules', models.JSONField(help_text='A tree; see `devices.segments.rules`.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddField(
            model_name='membership',
            name='segment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='segments.segment'),
        ),
        migrations.CreateModel(
            name='UserList',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('description', models.TextField(blank=True, default='', max_length=2000)),
                ('file_format', models.CharField(choices=[('text', 'text'), ('csv', 'csv'), ('ndjson', 'ndjson')], max_length=6)),
                ('status', models.CharField(choices=[('waiting', 'a worker will take it'), ('running', 'a worker is at it; one that was killed is followed by another'), ('completed', 'whole, and never changed again'), ('failed', 'given up; `failure` says why')], db_default='waiting', default='waiting', max_length=9)),
                ('failure', models.TextField(blank=True, db_default='', default='')),
                ('attempts', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('total_bytes', models.PositiveBigIntegerField()),
                ('bytes_read', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('rows', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('rejected', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('repeated', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('size', models.PositiveBigIntegerField(db_default=0, default=0, help_text='Different user ids.')),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ListMember',
            fields=[
                ('pk', models.CompositePrimaryKey('user_list', 'user_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.CharField(max_length=255)),
                ('user_list', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='segments.userlist')),
            ],
        ),
        migrations.AddConstraint(
            model_name='segment',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['dynamic', 'static'])), name='segment_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at__isnull', True)), fields=('segment',), name='membership_evaluated_once'),
        ),
        migrations.AddConstraint(
            model_name='userlist',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'completed'), _negated=True), ('rows', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('rejected'), '+', models.F('repeated')), '+', models.F('size'))), _connector='OR'), name='user_list_adds_up'),
        ),
    ]
