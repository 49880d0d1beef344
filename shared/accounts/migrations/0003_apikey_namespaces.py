from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_bans_follows_keys")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="namespaces",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
