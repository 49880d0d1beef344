"""`python -m deploy.k8s lint` and `render`: check the chart; write deploy/k8s/manifests."""

from __future__ import annotations

import argparse
import sys

from deploy.k8s import lint, rendered
from deploy.k8s.tools import NoTools

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.k8s", description=__doc__)
    parser.add_argument("verb", choices=["lint", "render"])
    try:
        if parser.parse_args(arguments).verb == "lint":
            return 1 if lint.check() else 0
        for name in rendered.write():
            print(f"Rendered deploy/k8s/manifests/{name}.")
    except NoTools as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
