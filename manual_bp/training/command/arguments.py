"""A command line that answers what it does not know with the nearest that it knows."""

from __future__ import annotations

import argparse
import re
from typing import Any

from manual_bp.training.command.usage import nearest


class Parser(argparse.ArgumentParser):
    """A parser that answers an unknown option with the nearest one, and tells only what was given."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the settings, or exit with 2."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = re.findall(r"--[a-z-]+", self.format_help())
            self.error(f"unrecognized arguments: {' '.join(unknown)}{nearest(unknown[0].split('=')[0], known)}")
        return found
