"""The native tools for make: lists the installed ones, or fetches the missing ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.provision.tools import install_tool, require_tool, tool_version
from harness.stack.programs import DEFAULTS, RECIPES, recipe_of
from harness.stack.proxies import PROXIES


def main(arguments: Sequence[str] | None = None) -> int:
    """List the tools, or with ``--install`` fetch those that are missing; 0, or the exit code of what failed."""
    parser = argparse.ArgumentParser(prog="python -m harness.cli.fetching", description=main.__doc__)
    parser.add_argument("--install", action="store_true", help="fetch what is missing")
    parser.add_argument("--proxies", action="store_true", help="all proxies, beside those that are named")
    parser.add_argument(
        "names", nargs="*", metavar="TOOL", help=f"of {', '.join(RECIPES)}; else {' and '.join(DEFAULTS)}"
    )
    chosen = parser.parse_args(arguments)
    proxies = [proxy.RECIPE.name for proxy in PROXIES.values() if proxy is not None and chosen.proxies]
    try:
        for name in [*chosen.names, *proxies] or DEFAULTS:
            recipe = recipe_of(name)
            tool = install_tool(recipe) if chosen.install else require_tool(recipe, "the experiment")
            if not chosen.install:
                print(f"{name} {tool_version(recipe, tool)} {tool.path}")
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
