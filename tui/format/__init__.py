"""What the screen says: pure functions from the view to lines. No widget, no clock, no IO."""
