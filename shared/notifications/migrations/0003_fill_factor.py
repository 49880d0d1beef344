from django.db import migrations


def leave_room_on_pages(apps, schema_editor):
    """An inbox's row is rewritten at each notification: with room on its page that is a HOT update."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE notifications_inbox SET (fillfactor = 50)")


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_inbox")]

    operations = [migrations.RunPython(leave_room_on_pages, migrations.RunPython.noop)]
