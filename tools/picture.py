"""Makes docs/images/demo.svg, the picture in the README, from a real run of the demo.

    .venv/bin/python -m tools.picture

Everything in it happened while it was made; only the fonts are the reader's own, so that the file
fetches nothing.
"""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

from rich.console import Console

from junctor.app import demo_show, logs
from junctor.app.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.svg"
WIDTH = 86
CALLS = 100


def own_fonts(svg: str) -> str:
    """Without the font that rich names on somebody's server: a picture here loads nothing."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "ui-monospace, DejaVu Sans Mono, Menlo, Consolas")


def main() -> None:
    logs.quiet()
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), highlight=False, color_system="truecolor"
    )
    console.print("[green]$[/] junctor demo --once")
    vars(demo_show)["Console"] = lambda **_: console  # what it would print to
    done = asyncio.run(demo_show.run_once(Settings.from_env(), calls=CALLS, as_json=False))
    if not done["ok"]:
        raise SystemExit(f"the demo found: {done['problems']}")
    TARGET.parent.mkdir(exist_ok=True)
    text = own_fonts(console.export_svg(title="junctor", unique_id="demo"))
    TARGET.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")
    print(f"{TARGET.name}: {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
