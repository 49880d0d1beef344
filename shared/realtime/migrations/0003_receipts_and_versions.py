from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("realtime", "0002_fill_factor")]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("channel", models.CharField(max_length=255)),
                ("key", models.CharField(max_length=255)),
                ("epoch", models.CharField(max_length=64)),
                ("offset", models.BigIntegerField()),
                ("created", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel", "key"), name="realtime_receipt_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StreamVersion",
            fields=[
                (
                    "channel",
                    models.CharField(max_length=255, primary_key=True, serialize=False),
                ),
                ("version", models.BigIntegerField()),
                ("version_epoch", models.CharField(max_length=255)),
            ],
        ),
    ]
