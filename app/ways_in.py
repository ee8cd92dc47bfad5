"""The ways into the console that the settings open: passwords, a provider, a proxy's word."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from app.config import ConfigurationError
from app.problems import ProblemError
from app.sign_in_settings import EVERYBODY
from app.trusted_proxies import SETTING as PROXIES
from app.trusted_proxies import USER_HEADER, read_proxies

ISSUER, PASSWORDS = "FLOWPULSE_OIDC_ISSUER", "FLOWPULSE_PASSWORD_SIGN_IN"
CALLBACK = "/sign-in/oidc/callback"
"""Where the provider sends people back to, under the public URL."""
PASSWORDS_OFF = "passwords_off"
PROVIDER_UNREACHABLE = "provider_unreachable"
PROVIDER_WAY_OVER = "provider_way_over"
WELL_KNOWN = "/.well-known/openid-configuration"


def refuse_unfit(settings: Mapping[str, Any]) -> None:
    """Settings that are good each by itself, and not together. Raises ConfigurationError."""
    issuer, header = settings[ISSUER], settings[USER_HEADER]
    if issuer and not (
        settings["FLOWPULSE_OIDC_CLIENT_ID"] and settings["FLOWPULSE_OIDC_CLIENT_SECRET"]
    ):
        raise ConfigurationError(
            f"{ISSUER} is set: set FLOWPULSE_OIDC_CLIENT_ID and FLOWPULSE_OIDC_CLIENT_SECRET too, "
            "which the provider gives."
        )
    if issuer and not settings["FLOWPULSE_PUBLIC_URL"]:
        raise ConfigurationError(
            f"{ISSUER} is set: set FLOWPULSE_PUBLIC_URL too, under which the provider sends people "
            "back."
        )
    if header and not read_proxies(settings[PROXIES]).is_named:
        raise ConfigurationError(
            f"{USER_HEADER} is set: name the proxy that sends it in {PROXIES}, by its address, its "
            "network or `unix`. Whoever is believed can be anybody; a number is not enough."
        )
    if not (settings[PASSWORDS] or issuer or header):
        raise ConfigurationError(
            f"{PASSWORDS} is 0, and nothing else signs anybody in: set {ISSUER} or {USER_HEADER}, "
            "or leave it 1."
        )
    if settings["FLOWPULSE_SIGN_UP_DOMAINS"] and not settings["FLOWPULSE_SIGN_UP_WORKSPACE"]:
        raise ConfigurationError(
            "FLOWPULSE_SIGN_UP_DOMAINS is set: set FLOWPULSE_SIGN_UP_WORKSPACE too, the id of the "
            "workspace that these people come into."
        )


def has_provider() -> bool:
    return bool(current_app.config[ISSUER])


def provider_name() -> str:
    """What people are told it is called; empty where there is none."""
    config = current_app.config
    name: str = config["FLOWPULSE_OIDC_NAME"]
    return (name or urlsplit(config[ISSUER]).netloc) if config[ISSUER] else ""


def takes_passwords() -> bool:
    return bool(current_app.config[PASSWORDS])


def refuse_passwords() -> None:
    """Raises ProblemError where they are switched off."""
    if not takes_passwords():
        raise ProblemError(PASSWORDS_OFF)


def trusts_proxy() -> bool:
    """Whether a proxy tells who comes."""
    return bool(current_app.config[USER_HEADER])


def redirect_address() -> str:
    """What is registered with the provider: from the public URL alone, never from a request."""
    return f"{current_app.config['FLOWPULSE_PUBLIC_URL']}{CALLBACK}"


def may_sign_up(email: str) -> bool:
    """Whether somebody without an account or invitation is let in, by the domain of the address."""
    domains: tuple[str, ...] = current_app.config["FLOWPULSE_SIGN_UP_DOMAINS"]
    return EVERYBODY in domains or email.rpartition("@")[2] in domains
