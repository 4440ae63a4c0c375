"""The panes and lines of the main screen; each shows a slice of the view and knows nothing else."""
