from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_user_manager")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="tokens_after",
            field=models.DateTimeField(editable=False, null=True),
        )
    ]
