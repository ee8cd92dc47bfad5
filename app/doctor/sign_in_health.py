"""The doctor's checks of the ways in beside a password."""

from flask import current_app

from app.doctor.findings import Finding
from app.extensions import db
from app.invocation import shell_command
from app.oidc import ProviderError, find_provider
from app.trusted_proxies import SETTING, USER_HEADER
from app.ways_in import ISSUER, WELL_KNOWN, provider_name, redirect_address, trusts_proxy
from app.workspaces.vouched import find_sign_up_workspace


def check_sign_in_provider() -> Finding:
    """Asks it; what answers must be the issuer of the settings."""
    name, provider = "sign-in provider", find_provider()
    if provider is None:
        return Finding(name, "ok", "None is set.")
    register = f"Its client's redirect address is {redirect_address()}"
    try:
        provider.check()
    except ProviderError as error:
        issuer: str = current_app.config[ISSUER]
        fix = f"From this machine, {issuer.rstrip('/')}{WELL_KNOWN} must answer, as {ISSUER} says."
        return Finding(name, "fail", f"{provider_name()} can't be used: {error}.", fix)
    if not provider.server_metadata.get("userinfo_endpoint"):
        message = f"{provider_name()} answers, and has no user info: the ID token must hold email."
        return Finding(name, "ok", f"{message} {register}")
    return Finding(name, "ok", f"{provider_name()} answers. {register}")


def check_who_comes() -> Finding:
    """Whose word opens the console."""
    name, config = "sign-up", current_app.config
    proxies = f"{SETTING}={config[SETTING]}"
    said = f" {config[USER_HEADER]} of {proxies} is believed." if trusts_proxy() else ""
    domains = config["FLOWPULSE_SIGN_UP_DOMAINS"]
    if not domains:
        return Finding(name, "ok", f"Only who is invited gets an account.{said}")
    if find_sign_up_workspace(db.session()) is None:
        fix = f"Set it to an id that `{shell_command('workspace list')}` tells."
        return Finding(name, "fail", "FLOWPULSE_SIGN_UP_WORKSPACE names no workspace.", fix)
    role = config["FLOWPULSE_SIGN_UP_ROLE"]
    return Finding(name, "ok", f"Whoever is of {', '.join(domains)} becomes a {role}.{said}")
