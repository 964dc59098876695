import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables may be large, and nobody waits for an index

    dependencies = [
        ('assistants', '0002_settings_and_webhooks'),
        ('numbers', '0019_fees_and_free_numbers'),
        ('organizations', '0011_text_by_organization'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='call',
            index=django.contrib.postgres.indexes.GinIndex(models.F('organization'), django.contrib.postgres.indexes.OpClass('from_number', 'gin_trgm_ops'), django.contrib.postgres.indexes.OpClass('to_number', 'gin_trgm_ops'), gin_pending_list_limit=256, name='call_by_text'),
        ),
        AddIndexConcurrently(
            model_name='message',
            index=django.contrib.postgres.indexes.GinIndex(models.F('organization'), django.contrib.postgres.indexes.OpClass('from_number', 'gin_trgm_ops'), django.contrib.postgres.indexes.OpClass('to_number', 'gin_trgm_ops'), gin_pending_list_limit=256, name='message_by_text'),
        ),
        AddIndexConcurrently(
            model_name='phonenumber',
            index=django.contrib.postgres.indexes.GinIndex(models.F('organization'), django.contrib.postgres.indexes.OpClass('phone_number', 'gin_trgm_ops'), django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('friendly_name'), 'gin_trgm_ops'), gin_pending_list_limit=256, name='phone_number_by_text'),
        ),
        AddIndexConcurrently(
            model_name='purchase',
            index=django.contrib.postgres.indexes.GinIndex(models.F('organization'), django.contrib.postgres.indexes.OpClass('phone_number', 'gin_trgm_ops'), gin_pending_list_limit=256, name='purchase_by_text'),
        ),
        RemoveIndexConcurrently(
            model_name='call',
            name='call_text',
        ),
        RemoveIndexConcurrently(
            model_name='message',
            name='message_text',
        ),
        RemoveIndexConcurrently(
            model_name='phonenumber',
            name='phone_number_text',
        ),
        RemoveIndexConcurrently(
            model_name='purchase',
            name='purchase_text',
        ),
    ]
