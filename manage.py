#!/usr/bin/env python
"""Django's command line, with the embedded form's settings unless the environment names others."""

import sys

from shared.settings import env

if __name__ == "__main__":
    env.default_settings_module("services.embedded.settings")
    from django.core.management import execute_from_command_line

    from shared.settings.production import in_one_line

    with in_one_line():
        execute_from_command_line(sys.argv)
