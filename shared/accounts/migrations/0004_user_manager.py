from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_apikey_namespaces")]

    operations = [migrations.AlterModelManagers(name="user", managers=[])]
