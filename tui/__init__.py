"""The front end of bitnet-tui: the command and the full-screen dashboard."""

import os

# Textual draws what changed at its next frame, and reads when that is as it is imported. At its own 60 a second a key
# waits up to 17 ms for one; nothing is drawn more often than it changes.
os.environ.setdefault("TEXTUAL_FPS", "120")
