"""`keptalive bench`: strategies over a target, in interleaved rounds."""
