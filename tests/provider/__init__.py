"""A real OpenID Connect provider on this machine: the certified `oidc-provider`, run by node.

`python -m tests.provider --install` only installs it.
"""
