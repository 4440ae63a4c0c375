"""The generative flow as data: agent files and their names."""
