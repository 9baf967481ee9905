"""How does a tile come? Address and layer in, bytes out; asynchronous, no knowledge of `app`."""
