"""One process that is web tier, gateway and worker at once; the only package that may be."""
