"""What modules may ask of Junctor itself, one file per service; done by `runtime.services`."""
