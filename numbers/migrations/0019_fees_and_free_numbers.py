from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the tables may be large, and nobody waits for an index

    dependencies = [
        ('numbers', '0018_tallies'),
        ('organizations', '0010_audit_filters'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='purchase',
            index=models.Index(condition=models.Q(('setup_cost__gt', 0)), fields=['organization', 'claimed_at'], include=('state', 'provider', 'currency', 'setup_cost', 'number'), name='purchase_setup_fees'),
        ),
        RemoveIndexConcurrently(
            model_name='purchase',
            name='purchase_with_setup_fee',
        ),
        AddIndexConcurrently(
            model_name='phonenumber',
            index=models.Index(condition=models.Q(('assistant', None), models.Q(('status', 'claimed'), _negated=True)), fields=['organization', '-id'], include=('status',), name='phone_number_unassigned'),
        ),
    ]
