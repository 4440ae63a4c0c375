"""The front end of bitnet-tui: the command and the full-screen dashboard."""
