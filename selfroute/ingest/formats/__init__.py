"""A loader for each format: a module, or a package where it takes several."""
