"""`python -m deploy.dashboards`: write the dashboards of the chart, or check that they are new."""

import argparse
import json
import sys
from pathlib import Path

from deploy.dashboards import gateway, overview, web, workers
from deploy.dashboards.grafana import model
from deploy.dashboards.panels import Dashboard

__all__ = ["DASHBOARDS", "FOLDER", "files", "main"]

DASHBOARDS: tuple[Dashboard, ...] = (
    overview.DASHBOARD,
    gateway.DASHBOARD,
    web.DASHBOARD,
    workers.DASHBOARD,
)
FOLDER = Path(__file__).resolve().parents[1] / "k8s" / "chart" / "dashboards"


def files() -> dict[str, str]:
    """Return what each file holds, by its name."""
    return {
        f"{dashboard.uid}.json": json.dumps(model(dashboard), indent=2, sort_keys=True) + "\n"
        for dashboard in DASHBOARDS
    }


def outdated() -> list[Path]:
    """Find the files that are not as they would be written, and those that are too many."""
    wanted = files()
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    names = sorted(wanted.keys() | there.keys())
    return [FOLDER / name for name in names if wanted.get(name) != there.get(name)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is old")
    options = parser.parse_args(arguments)
    wanted, changed = files(), outdated()
    for path in changed:
        if options.check:
            print(f"{path} is not as it is generated: run `python -m deploy.dashboards`.")
        elif path.name in wanted:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path.name])
            print(f"Wrote {path}.")
        else:
            path.unlink()
            print(f"Removed {path}.")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
