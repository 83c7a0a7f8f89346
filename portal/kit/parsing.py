"""The bodies of API requests, read within bounds."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from portal.kit.errors import Invalid, TooLarge
from portal.kit.plain import read_json


class JSONParser(BaseParser):
    """JSON in UTF-8, no larger than a form."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The body's data; raises TooLarge or Invalid."""
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(f"The body is larger than {limit // 2**20} MiB. Send less, or split it.")
        try:
            return read_json(content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise Invalid("The body is not text in UTF-8.") from error
