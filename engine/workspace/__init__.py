"""The user's repository, a snapshot of it, worktrees of that, and the only door through which files are written."""
