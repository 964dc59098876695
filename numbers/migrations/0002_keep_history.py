"""The database itself refuses to delete purchases, releases and numbers (but for the claim of a refused
purchase), and to change which number, at which provider, in which account a row stands for."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER purchase_is_kept BEFORE DELETE ON numbers_purchase
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER release_is_kept BEFORE DELETE ON numbers_release
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER phone_number_is_kept BEFORE DELETE ON numbers_phonenumber
    FOR EACH ROW WHEN (OLD.status <> 'claimed') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER phone_number_identity BEFORE UPDATE ON numbers_phonenumber
    FOR EACH ROW WHEN (
        OLD.phone_number <> NEW.phone_number OR OLD.provider <> NEW.provider
        OR OLD.account_id <> NEW.account_id OR OLD.organization_id <> NEW.organization_id
        OR (OLD.provider_number_id <> '' AND OLD.provider_number_id <> NEW.provider_number_id)
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER purchase_identity BEFORE UPDATE ON numbers_purchase
    FOR EACH ROW WHEN (
        OLD.phone_number <> NEW.phone_number OR OLD.provider <> NEW.provider
        OR OLD.account_id IS DISTINCT FROM NEW.account_id
        OR OLD.organization_id <> NEW.organization_id
        OR OLD.request <> NEW.request
        OR OLD.idempotency_key IS DISTINCT FROM NEW.idempotency_key
    ) EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER purchase_identity ON numbers_purchase;
DROP TRIGGER phone_number_identity ON numbers_phonenumber;
DROP TRIGGER phone_number_is_kept ON numbers_phonenumber;
DROP TRIGGER release_is_kept ON numbers_release;
DROP TRIGGER purchase_is_kept ON numbers_purchase;
"""


class Migration(migrations.Migration):
    dependencies = [("numbers", "0001_initial"), ("organizations", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
