r"""Put the page together: one HTML file without any other, from the sources in ``web`` and what Python computes.

``lesson.html``, and ``sheet.html`` with exercises to print, name their parts in comments: ``<!-- style -->``,
``<!-- script -->``, ``<!-- data -->`` and ``<!-- include digit/digit.html -->``. Mathematics stands in the sources as
LaTeX, ``<tex>\delta^l</tex>``, or on a line of its own as ``<tex display>``, and becomes MathML here; an equation of
the lecture stands by its number alone, ``<equation>E12</equation>``, and comes from the table. The scripts are ES
modules, each importing the names that it needs from its neighbours; here they become one script, every module after
those that it imports, without the comments that fill whole lines: they are in the sources, and would be a tenth of all
the page's code.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape, unescape
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from latex2mathml.converter import convert

from torch_ref.known.equations import EQUATIONS
from torch_ref.lesson.page.stamp import stamp
from torch_ref.lesson.page.table import table

WEB = Path(__file__).parent / "web"
ENTRY = "main.js"
TABLE = "<!-- x2 -->"
STYLES = (
    "lesson.css",
    "contents.css",
    "chapters/chapters.css",
    "digit/digit.css",
    "practise/practise.css",
    "tours/tours.css",
    "print.css",
)
SHEET_STYLES = ("lesson.css", "practise/practise.css", "practise/sheet.css")

_IMPORT = re.compile(r'^import \{[^}]*\} from "(?P<file>\.\.?/[\w/-]+\.js)";\n', flags=re.MULTILINE)
_OTHER_IMPORT = re.compile(r"^import\b.*", flags=re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", flags=re.MULTILINE)
_DECLARED = re.compile(r"^(?:async )?(?:function\*?|const|let|class) (?P<name>[\w$]+)", flags=re.MULTILINE)
_COMMENT = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", flags=re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r"<!-- include (?P<file>[\w/-]+\.html) -->")
_SIGMA_PRIME = "<msup><mi>&#x003C3;</mi><mi>&#x02032;</mi></msup>"
_EQUATION = re.compile(r"<equation>(?P<number>E\d+)</equation>")
_CHIP = re.compile(r'(?P<line><div class="equation">)?<span class="eq">(?P<number>E\d+)</span>')
_TEX = re.compile(r"<tex(?P<display> display)?>(?P<latex>.*?)</tex>", flags=re.DOTALL)


def page(data: dict[str, Any]) -> str:
    """Return the whole page; ``data`` is what the scripts find as DATA."""
    return _whole("lesson.html", STYLES, ENTRY, data)


def sheet(data: dict[str, Any]) -> str:
    """Return the sheet of exercises, of the page's own modules."""
    return _whole("sheet.html", SHEET_STYLES, "sheet.js", data)


def _whole(name: str, styles: tuple[str, ...], entry: str, data: dict[str, Any]) -> str:
    html = _INCLUDE.sub(lambda match: source(match["file"]), source(name))
    html = _chips(_EQUATION.sub(lambda match: equation_line(match["number"]), html))
    html = _TEX.sub(lambda match: mathml(unescape(match["latex"]), display=match["display"] is not None), html)
    style = f"<style>\n{chr(10).join(map(source, styles))}</style>"
    code = f'<script type="module">\n{script(entry)}</script>'
    if TABLE in html:
        html = html.replace(TABLE, table(data["x2"]))
    parts = {
        "<!-- style -->": f"{stamp(html + style + code, data)}\n{style}",
        "<!-- data -->": f'<script type="application/json" id="data">{_inside_script(data)}</script>',
        "<!-- script -->": code,
    }
    for mark, part in parts.items():
        if html.count(mark) != 1:
            raise ValueError(f"{name} expects {mark} once, got it {html.count(mark)} times")
        html = html.replace(mark, part)
    return html


def equation_line(number: str) -> str:
    """Return the line of one of the lecture's equations, from the table."""
    latex = escape(EQUATIONS[number].latex, quote=False)
    return f'<div class="equation"><span class="eq">{number}</span><tex display>{latex}</tex></div>'


def _chips(html: str) -> str:
    """Make a link of each equation's number, to the first line that shows the equation."""
    placed: set[str] = set()

    def chip(match: re.Match[str]) -> str:
        line, number = match["line"] or "", match["number"]
        if line and number not in placed:
            placed.add(number)
            line = f'<div class="equation" id="{number}">'
        words, _, text = EQUATIONS[number]
        return (
            f'{line}<a class="eq" href="#{number}" aria-label="{number}, {escape(words)}" '
            f'data-formula="{escape(text)}">{number}</a>'
        )

    return _CHIP.sub(chip, html)


def script(entry: str = ENTRY) -> str:
    """Return all modules as one, every module after those that it imports."""
    order: list[str] = []

    def visit(file: str, importing: tuple[str, ...]) -> None:
        if file in importing:
            raise ValueError(f"modules import each other in a ring: {' → '.join((*importing, file))}")
        if file in order:
            return
        for match in _IMPORT.finditer(source(file)):
            visit(normpath(join(dirname(file), match["file"])), (*importing, file))
        order.append(file)

    visit(entry, ())
    bare = {file: _EXPORT.sub("", _IMPORT.sub("", _COMMENT.sub("", source(file)))) for file in order}
    _check(bare)
    return "\n".join(bare.values())


def _check(modules: dict[str, str]) -> None:
    """Raise where modules cannot stand in one script: they share their names there, and nothing is imported."""
    owner: dict[str, str] = {}
    for file, text in modules.items():
        if other := _OTHER_IMPORT.search(text):
            raise ValueError(f'{file} expects imports like import {{ a, b }} from "./x.js"; but got {other[0]}')
        if "</script" in text:
            raise ValueError(f"{file} contains </script, which would end the script in the page: write <\\/script")
        for match in _DECLARED.finditer(text):
            if match["name"] in owner:
                raise ValueError(
                    f"{file} declares {match['name']}, which {owner[match['name']]} declares too: rename one"
                )
            owner[match["name"]] = file


def source(file: str) -> str:
    """Return the text of a file, by its path in ``web``."""
    return (WEB / file).read_text(encoding="utf-8")


@cache
def mathml(latex: str, *, display: bool = False) -> str:
    """Return LaTeX as MathML for HTML, which knows its namespace; σ′ is one identifier, which no font tears apart."""
    written = convert(latex, display="block" if display else "inline").replace(_SIGMA_PRIME, "<mi>σ′</mi>")
    return written.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")


def _inside_script(data: dict[str, Any]) -> str:
    """Return JSON for a script element: no text in it can end the element, as '</script>' would."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
