"""
The settings that a stack was started with: later commands work with them, whatever the shell that
they are typed in has set.
"""

import json
from collections.abc import Mapping

from deploy.stack.credentials import write_private
from deploy.stack.layout import Layout, state_folder

__all__ = ["FILE", "for_services", "recall", "remember"]

FILE = "settings.json"

# They say where a stack is, which its layout knows; no service reads them.
PLACES = {"CARILLON_STATE_DIR", "CARILLON_PORT", "CARILLON_BASE_PORT"}


def for_services(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick the variables that services are told; PYTHONPATH says where CARILLON_APPS are."""
    apps = {"PYTHONPATH"} if environment.get("CARILLON_APPS") else set()
    return {
        name: value
        for name, value in environment.items()
        if (name.startswith("CARILLON_") and name not in PLACES) or name in apps
    }


def remember(layout: Layout, settings: Mapping[str, str]) -> None:
    """Keep the settings and ports of a stack that is about to start."""
    ports = {"CARILLON_PORT": str(layout.port), "CARILLON_BASE_PORT": str(layout.base)}
    text = json.dumps({**settings, **ports}, indent=2, sort_keys=True) + "\n"
    write_private(layout.state / FILE, text)


def recall(environment: Mapping[str, str]) -> dict[str, str]:
    """Replace an environment's settings by those that the stack in its state folder has."""
    path = state_folder(environment) / FILE
    if not path.exists():
        return dict(environment)
    others = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("CARILLON_", "PYTHONPATH")) or name == "CARILLON_STATE_DIR"
    }
    known: dict[str, str] = json.loads(path.read_text())
    return others | known
