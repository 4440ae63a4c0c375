"""How much the offline repairer mends of programs other people broke, how fast, and how much of it is right."""
