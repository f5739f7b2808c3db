"""Engines that ask an OpenAI-compatible provider over HTTP. Whatever a provider does, it costs a bounded time and
ends in an answer that was checked or in `ProviderFailed`; what happens then is decided by who asked.
"""
