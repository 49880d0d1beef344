from django.db import migrations, models


def keep_out_of_the_log(apps, schema_editor):
    """As the lease's table: what running gateways write anew may be lost."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE presence_report SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [("presence", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Report",
            fields=[
                ("incarnation", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("made", models.DateTimeField()),
                ("version", models.CharField(max_length=40)),
                ("uptime", models.BigIntegerField()),
                ("cpu", models.FloatField()),
                ("rss", models.BigIntegerField()),
                ("interval", models.FloatField()),
                ("items", models.JSONField(default=dict)),
            ],
        ),
        migrations.RunPython(keep_out_of_the_log, migrations.RunPython.noop),
    ]
