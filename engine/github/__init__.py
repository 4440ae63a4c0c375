"""What a run writes to GitHub, and how it finds again what it wrote. Importing this package imports no client."""
