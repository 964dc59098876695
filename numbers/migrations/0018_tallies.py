"""Tallies of the numbers, kept by triggers on them. Counting those that there are takes some
seconds for a million; until it is over, nobody writes numbers."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION month_of(moment timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc('month', moment AT TIME ZONE 'UTC')::date
$$;

CREATE FUNCTION tally_number(number numbers_phonenumber, sign integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO numbers_numbertally (organization_id, account_id, provider, currency, status,
        assigned, drifted, until, numbers, priced, monthly)
    VALUES (number.organization_id, number.account_id, number.provider, number.currency,
        number.status, number.assistant_id IS NOT NULL, number.webhook_verdict = 'drifted',
        CASE number.status WHEN 'released' THEN month_of(number.released_at) END,
        sign, CASE WHEN number.monthly_cost IS NULL THEN 0 ELSE sign END,
        sign * number.monthly_cost);
END $$;

CREATE FUNCTION tally_cost(number numbers_phonenumber, sign integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF number.status = 'released' AND number.released_at IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO numbers_costtally (organization_id, provider, assistant_id, currency, since,
        until, numbers, monthly)
    VALUES (number.organization_id, number.provider, number.assistant_id,
        CASE WHEN number.monthly_cost IS NULL THEN '' ELSE number.currency END,
        month_of(coalesce(number.purchased_at, number.created_at)),
        CASE number.status WHEN 'released' THEN month_of(number.released_at) END,
        sign, sign * number.monthly_cost);
END $$;

CREATE FUNCTION tally_number_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM tally_number(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM tally_number(NEW, 1); END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION tally_cost_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM tally_cost(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM tally_cost(NEW, 1); END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER number_is_tallied AFTER INSERT OR DELETE ON numbers_phonenumber
    FOR EACH ROW EXECUTE FUNCTION tally_number_changed();
CREATE TRIGGER number_change_is_tallied AFTER UPDATE ON numbers_phonenumber
    FOR EACH ROW WHEN (
        (OLD.currency, OLD.status, OLD.assistant_id IS NULL, OLD.webhook_verdict = 'drifted',
            OLD.monthly_cost, month_of(OLD.released_at))
        IS DISTINCT FROM
        (NEW.currency, NEW.status, NEW.assistant_id IS NULL, NEW.webhook_verdict = 'drifted',
            NEW.monthly_cost, month_of(NEW.released_at))
    ) EXECUTE FUNCTION tally_number_changed();
CREATE TRIGGER cost_is_tallied AFTER INSERT OR DELETE ON numbers_phonenumber
    FOR EACH ROW EXECUTE FUNCTION tally_cost_changed();
CREATE TRIGGER cost_change_is_tallied AFTER UPDATE ON numbers_phonenumber
    FOR EACH ROW WHEN (
        (OLD.currency, OLD.status = 'released', OLD.assistant_id, OLD.monthly_cost,
            month_of(coalesce(OLD.purchased_at, OLD.created_at)), month_of(OLD.released_at))
        IS DISTINCT FROM
        (NEW.currency, NEW.status = 'released', NEW.assistant_id, NEW.monthly_cost,
            month_of(coalesce(NEW.purchased_at, NEW.created_at)), month_of(NEW.released_at))
    ) EXECUTE FUNCTION tally_cost_changed();

CREATE FUNCTION recount_numbers() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE numbers_phonenumber IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM numbers_numbertally;
    DELETE FROM numbers_costtally;
    INSERT INTO numbers_numbertally (organization_id, account_id, provider, currency, status,
        assigned, drifted, until, numbers, priced, monthly, folded)
    SELECT organization_id, account_id, provider, currency, status, assistant_id IS NOT NULL,
        webhook_verdict = 'drifted',
        CASE status WHEN 'released' THEN month_of(released_at) END,
        count(*), count(monthly_cost), sum(monthly_cost), true
    FROM numbers_phonenumber GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    INSERT INTO numbers_costtally (organization_id, provider, assistant_id, currency, since,
        until, numbers, monthly, folded)
    SELECT organization_id, provider, assistant_id,
        CASE WHEN monthly_cost IS NULL THEN '' ELSE currency END,
        month_of(coalesce(purchased_at, created_at)),
        CASE status WHEN 'released' THEN month_of(released_at) END,
        count(*), sum(monthly_cost), true
    FROM numbers_phonenumber WHERE status <> 'released' OR released_at IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6;
END $$;

SELECT recount_numbers();
"""
BACKWARD = """
DROP TRIGGER cost_change_is_tallied ON numbers_phonenumber;
DROP TRIGGER cost_is_tallied ON numbers_phonenumber;
DROP TRIGGER number_change_is_tallied ON numbers_phonenumber;
DROP TRIGGER number_is_tallied ON numbers_phonenumber;
DROP FUNCTION recount_numbers();
DROP FUNCTION tally_cost_changed();
DROP FUNCTION tally_number_changed();
DROP FUNCTION tally_cost(numbers_phonenumber, integer);
DROP FUNCTION tally_number(numbers_phonenumber, integer);
DROP FUNCTION month_of(timestamptz);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('assistants', '0002_settings_and_webhooks'),
        ('numbers', '0017_filters_and_sorts'),
        ('organizations', '0010_audit_filters'),
    ]

    operations = [
        migrations.CreateModel(
            name='CostTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=10)),
                ('currency', models.CharField(max_length=3)),
                ('until', models.DateField(null=True)),
                ('numbers', models.IntegerField()),
                ('monthly', models.DecimalField(decimal_places=5, max_digits=20, null=True)),
                ('folded', models.BooleanField(db_default=False)),
                ('assistant_id', models.BigIntegerField(null=True)),
                ('since', models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name='NumberTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=10)),
                ('currency', models.CharField(max_length=3)),
                ('until', models.DateField(null=True)),
                ('numbers', models.IntegerField()),
                ('monthly', models.DecimalField(decimal_places=5, max_digits=20, null=True)),
                ('folded', models.BooleanField(db_default=False)),
                ('account_id', models.BigIntegerField()),
                ('status', models.CharField(max_length=10)),
                ('assigned', models.BooleanField()),
                ('drifted', models.BooleanField()),
                ('priced', models.IntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='costtally',
            name='organization',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='organizations.organization'),
        ),
        migrations.AddField(
            model_name='numbertally',
            name='organization',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='organizations.organization'),
        ),
        migrations.AddIndex(
            model_name='costtally',
            index=models.Index(condition=models.Q(('folded', False)), fields=['id'], name='cost_tally_to_fold'),
        ),
        migrations.AddConstraint(
            model_name='costtally',
            constraint=models.UniqueConstraint(condition=models.Q(('folded', True)), fields=('organization', 'provider', 'assistant_id', 'currency', 'since', 'until'), name='cost_tally_folded', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='numbertally',
            index=models.Index(condition=models.Q(('folded', False)), fields=['id'], name='number_tally_to_fold'),
        ),
        migrations.AddConstraint(
            model_name='numbertally',
            constraint=models.UniqueConstraint(condition=models.Q(('folded', True)), fields=('organization', 'account_id', 'provider', 'currency', 'status', 'assigned', 'drifted', 'until'), name='number_tally_folded', nulls_distinct=False),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
