"""The page: a terminal that fills it, and a line that says when the program has ended. No script but the terminal's."""

from __future__ import annotations

import html

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/css/xterm.css">
<script src="static/js/textual.js"></script>
<style>
@font-face {{ font-family: "Roboto Mono"; src: url("static/fonts/RobotoMono-VariableFont_wght.ttf"); }}
html, body {{ margin: 0; height: 100%; background: #14161d; color: #c8cfe0; font-family: "Roboto Mono", monospace; }}
.textual-terminal {{ width: 100vw; height: 100vh; overflow: hidden; }}
#ended {{ display: none; position: fixed; right: 1em; bottom: 1em; padding: .5em 1em; background: #232733; }}
#ended {{ z-index: 9; }}
body.-closed #ended {{ display: block; }}
#ended a {{ color: #7aa2f7; }}
</style>
</head>
<body>
<noscript>The dashboard is drawn by a script of this page; without one, use bitnet-tui in a terminal.</noscript>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{socket}" data-font-size="{size}"></div>
<div id="ended" role="status">The program has ended. <a href="">Start it again</a></div>
</body>
</html>
"""


def page(title: str, socket: str, size: int = 16) -> str:
    """The page whose terminal speaks to the websocket at ``socket``."""
    return _PAGE.format(title=html.escape(title), socket=html.escape(socket), size=size)
