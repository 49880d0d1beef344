from django.db import migrations, models


def keep_out_of_the_log(apps, schema_editor):
    """Budgets may be lost: unlogged, writing them waits for no disk; with room, each is a HOT update."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE ratelimit_budget SET UNLOGGED")
        schema_editor.execute("ALTER TABLE ratelimit_budget SET (fillfactor = 50)")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("whole_at", models.FloatField()),
            ],
        ),
        migrations.RunPython(keep_out_of_the_log, migrations.RunPython.noop),
    ]
