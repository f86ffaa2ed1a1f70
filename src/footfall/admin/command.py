"""The commands of an administrator, where the command line looks for them."""

from __future__ import annotations

from footfall.admin.config_command import config
from footfall.admin.schemas_command import schemas
from footfall.admin.topics_command import topics

__all__ = ["config", "schemas", "topics"]
