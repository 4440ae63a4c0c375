"""A benchmark of the kernels: what its child says, how it is run, where it is kept. Nothing here touches a widget."""
