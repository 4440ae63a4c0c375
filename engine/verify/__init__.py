"""Green is a claim until it was shown in a fresh worktree under the acceptance rule."""
