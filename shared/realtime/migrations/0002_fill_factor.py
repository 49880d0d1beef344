from django.db import migrations


def leave_room_on_pages(apps, schema_editor):
    """A stream's row is rewritten at each publication: with room on its page that is a HOT update."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE realtime_stream SET (fillfactor = 50)")
        # Dead versions of a hot row are cheap to remove and dear to keep.
        schema_editor.execute(
            "ALTER TABLE realtime_stream SET (autovacuum_vacuum_scale_factor = 0.02)"
        )


class Migration(migrations.Migration):
    dependencies = [("realtime", "0001_initial")]

    operations = [migrations.RunPython(leave_room_on_pages, migrations.RunPython.noop)]
