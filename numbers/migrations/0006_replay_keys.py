"""Keys that were answered from another request's row. Claims hold the organization's lock but do
not look here; so the database itself keeps a key from being one row's own and naming another."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION refuse_taken_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I WHERE organization_id = $1 AND idempotency_key = $2)',
        TG_ARGV[0]
    ) INTO taken USING NEW.organization_id, NEW.idempotency_key;
    IF taken THEN
        RAISE EXCEPTION 'this idempotency key names another row' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER purchase_key_is_free BEFORE INSERT ON numbers_purchase
    FOR EACH ROW WHEN (NEW.idempotency_key IS NOT NULL)
    EXECUTE FUNCTION refuse_taken_key('numbers_purchasereplaykey');
CREATE TRIGGER purchase_replay_key_is_free BEFORE INSERT ON numbers_purchasereplaykey
    FOR EACH ROW EXECUTE FUNCTION refuse_taken_key('numbers_purchase');
CREATE TRIGGER purchase_replay_key_is_kept BEFORE UPDATE OR DELETE ON numbers_purchasereplaykey
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER release_key_is_free BEFORE INSERT ON numbers_release
    FOR EACH ROW WHEN (NEW.idempotency_key IS NOT NULL)
    EXECUTE FUNCTION refuse_taken_key('numbers_releasereplaykey');
CREATE TRIGGER release_replay_key_is_free BEFORE INSERT ON numbers_releasereplaykey
    FOR EACH ROW EXECUTE FUNCTION refuse_taken_key('numbers_release');
CREATE TRIGGER release_replay_key_is_kept BEFORE UPDATE OR DELETE ON numbers_releasereplaykey
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER release_key_is_free ON numbers_release;
DROP TRIGGER purchase_key_is_free ON numbers_purchase;
DROP FUNCTION refuse_taken_key() CASCADE;
DROP TRIGGER release_replay_key_is_kept ON numbers_releasereplaykey;
DROP TRIGGER purchase_replay_key_is_kept ON numbers_purchasereplaykey;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('numbers', '0005_proof'),
        ('organizations', '0002_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='PurchaseReplayKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('idempotency_key', models.CharField(editable=False, max_length=300)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='organizations.organization')),
                ('purchase', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='replay_keys', to='numbers.purchase')),
            ],
            options={
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('organization', 'idempotency_key'), name='purchasereplaykey_unique')],
            },
        ),
        migrations.CreateModel(
            name='ReleaseReplayKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('idempotency_key', models.CharField(editable=False, max_length=300)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='organizations.organization')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='replay_keys', to='numbers.release')),
            ],
            options={
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('organization', 'idempotency_key'), name='releasereplaykey_unique')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
