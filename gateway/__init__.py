"""The HTTP face of Despacho: REST, server-sent events, and the pages. It never imports an actor."""
