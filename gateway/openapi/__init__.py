"""The OpenAPI document: what each route takes and answers, declared beside each other by topic, and the builder that
makes one document of these declarations, the models and the catalog.

Nothing here handles a request. A test holds the declarations against the routes that the gateway really has, and the
tests' client holds every answer against the document.
"""
