from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("numbers", "0013_calls_of_assistants")]
    operations = [
        migrations.AlterModelOptions(
            name="phonenumber",
            options={
                "base_manager_name": "objects",
                "permissions": [
                    ("purchase_phonenumber", "Can purchase numbers (spends money)"),
                    ("release_phonenumber", "Can release numbers"),
                ],
            },
        )
    ]
