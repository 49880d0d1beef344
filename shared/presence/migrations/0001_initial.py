from django.db import migrations, models


def keep_out_of_the_log(apps, schema_editor):
    """What running gateways write anew may be lost: unlogged, writing it waits for no disk."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE presence_lease SET UNLOGGED")
        schema_editor.execute("ALTER TABLE presence_presentclient SET UNLOGGED")
        # A lease is rewritten every second: with room on its page that is a HOT update.
        schema_editor.execute("ALTER TABLE presence_lease SET (fillfactor = 50)")
        # Whole gateways come and go: the planner should hear of it soon, and room be used again.
        schema_editor.execute(
            "ALTER TABLE presence_presentclient SET"
            " (autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05)"
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("incarnation", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("gateway", models.CharField(max_length=80)),
                ("beat", models.DateTimeField()),
                ("turn", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="PresentClient",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "channel",
                        "client",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("channel", models.CharField(max_length=255)),
                ("client", models.CharField(max_length=36)),
                ("user_id", models.CharField(blank=True, max_length=255)),
                ("account", models.BigIntegerField(null=True)),
                ("conn_info", models.TextField(null=True)),
                ("chan_info", models.TextField(null=True)),
                ("since", models.DateTimeField()),
                ("left_at", models.DateTimeField(null=True)),
                (
                    "lease",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="clients",
                        to="presence.lease",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["lease"], name="presence_client_lease"),
                    models.Index(
                        condition=models.Q(("account__isnull", False)),
                        fields=["account"],
                        name="presence_client_account",
                    ),
                    models.Index(
                        condition=models.Q(("left_at__isnull", False)),
                        fields=["left_at"],
                        name="presence_client_left",
                    ),
                ],
            },
        ),
        migrations.RunPython(keep_out_of_the_log, migrations.RunPython.noop),
    ]
