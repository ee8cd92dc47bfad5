"""The form of each kind of channel: what it asks for, what it refuses, and what is said of it."""

import pytest
from marshmallow import ValidationError

from app.channels.kinds import KINDS
from app.channels.settings import list_secrets


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_form_names_each_field_that_it_needs(kind: str) -> None:
    needed = {name for name, field in KINDS[kind].Config().fields.items() if field.required}
    with pytest.raises(ValidationError) as caught:
        KINDS[kind].Config().load(dict.fromkeys(KINDS[kind].Config().fields, "  "))
    errors = caught.value.normalized_messages()
    assert set(errors) == needed
    assert all(each[0].startswith("Enter ") for each in errors.values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_setting_is_refused_at_its_field(
    kind: str, settings: dict[str, dict[str, str]]
) -> None:
    for name, field in KINDS[kind].Config().fields.items():
        for wrong in ("no such thing", "x" * 2000, "a\r\nX-Evil: 1"):
            with pytest.raises(ValidationError) as caught:
                KINDS[kind].Config(any_host=True).load({**settings[kind], name: wrong})
            assert set(caught.value.normalized_messages()) == {name}, (name, wrong)
        assert field.metadata["label"]


GOOD_URLS = {
    "slack": "https://hooks.slack.com/services/T/B/x https://hooks.slack-gov.com/services/T/B/x",
    "discord": "https://discord.com/api/webhooks/1/x https://discordapp.com/api/webhooks/1/x "
    "https://ptb.discord.com/api/webhooks/1/x https://canary.discord.com/api/webhooks/1/x",
    "teams": "https://prod-12.westeurope.logic.azure.com:443/workflows/x?sig=y "
    "https://default1.e6.environment.api.powerplatform.com:443/powerautomate/x?sig=y "
    "https://team.webhook.office.com/webhookb2/x",
}
BAD_URLS = (
    "http://{host}/x https://example.org/x https://example.org/{host} https://{host}.example.org/x "
    "https://not{host}/x https://127.0.0.1/x"
)


@pytest.mark.parametrize("kind", GOOD_URLS)
def test_an_address_of_a_service_is_at_its_hosts(kind: str) -> None:
    config, good = KINDS[kind].Config, GOOD_URLS[kind].split()
    for url in good:
        assert config().load({"url": url})["url"] == url
    for url in BAD_URLS.format(host=config().fields["url"].metadata["hosts"][0]).split():
        with pytest.raises(ValidationError) as caught:
            config().load({"url": url})
        ((field, (words,)),) = caught.value.normalized_messages().items()
        assert field == "url" and "https://" in words and "ALLOW_PRIVATE_ADDRESSES" in words
        assert config(any_host=True).load({"url": url})


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_a_channel_holds_no_secret(
    kind: str, settings: dict[str, dict[str, str]]
) -> None:
    loaded = KINDS[kind].Config(any_host=True).load(settings[kind])
    said = KINDS[kind].about(loaded)
    assert said and not any(str(loaded[each]) in said for each in list_secrets(KINDS[kind].Config))
    assert KINDS[kind].HELP and KINDS[kind].LABEL
