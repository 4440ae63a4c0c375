"""Run a suite in a child process and tell what happened: live rows, a checked report, crashes as what they are."""
