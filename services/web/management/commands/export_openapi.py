from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from services.web.api.application import api
from services.web.api.description import written


class Command(BaseCommand):
    help = "Write the API's OpenAPI description to docs/openapi.json, or to another file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", default=settings.BASE_DIR / "docs" / "openapi.json")

    def handle(self, *args: Any, path: str | Path, **options: Any) -> None:
        Path(path).write_text(written(api.get_openapi_schema()))
        self.stdout.write(f"{path} is what the API says of itself.")
