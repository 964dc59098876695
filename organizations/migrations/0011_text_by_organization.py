import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently, BtreeGinExtension, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables may be large, and nobody waits for an index

    dependencies = [
        ('organizations', '0010_audit_filters'),
    ]

    operations = [
        BtreeGinExtension(),
        AddIndexConcurrently(
            model_name='auditevent',
            index=django.contrib.postgres.indexes.GinIndex(models.F('organization'), django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('actor_label'), 'gin_trgm_ops'), gin_pending_list_limit=256, name='audit_by_actor_text'),
        ),
        RemoveIndexConcurrently(
            model_name='auditevent',
            name='audit_by_actor',
        ),
    ]
