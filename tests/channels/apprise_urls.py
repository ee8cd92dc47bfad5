"""A good URL for each service of Apprise's that may be used, and what its side answers."""

from typing import Any

HEX = "0123456789abcdef0123456789abcdef"
KEY = "01234567-89ab-cdef-0123-456789abcdef"
FROM_TO = "+15551234567/+15551234568"
_URLS = f"""
bark://bark.example/dev1  barks://bark.example/dev1  bluesky://me.bsky.social@app-pass-word
chanify://tok.en  clickatell://apikey/{FROM_TO}  clicksend://user:key@+15551234567
cliq://1001.abcdef.012345/room  dingtalk://abcdef012345/  feishu://abc-def  flock://abcdef-0123
gchat://work/key/token  goalert://goalert.example/{KEY}  goalerts://goalert.example/{KEY}
gotify://gotify.example/Atoken12345  gotifys://gotify.example/Atoken12345  groupme://bot1
ifttt://hook/event  ilert://key_1  incidentio://SOURCE1/token  join://{HEX}/{HEX}
kook://token?mode=webhook  lametric://user:key@lametric.example
lametrics://user:key@lametric.example  lark://abc-def  line://token/user
mailgun://user@example.org/key1234/you@example.org  mastodon://tok@social.example
mastodons://tok@social.example  toot://tok@social.example  toots://tok@social.example
matrix://token@matrix.example/?mode=slack  matrixs://token@matrix.example/?mode=matrix
misskey://tok@misskey.example  misskeys://tok@misskey.example  mmost://chat.example/{HEX}
mmosts://chat.example/{HEX}  msgbird://{"a" * 25}/{FROM_TO}  nctalk://u:p@cloud.example/room
nctalks://u:p@cloud.example/room  notica://notica.example/token  noticas://notica.example/token
notifiarr://apikey/#12345  onesignal://app@apikey/player  pagertree://int_1234567
pbul://token/device  plivo://{"a" * 25}@{"b" * 40}/{FROM_TO}
postmark://key:me@example.org/you@example.org  prowl://{"a" * 40}  pushdeer://abc123
pushdeers://pd.example/abc123  pushed://key/secret  pushme://token  pushplus://{HEX}
pushy://apikey/@device  revolt://token/channel  rocket://token/key@chat.example/#ops
rockets://user:pass@chat.example/#ops  ryver://org/abcdefghijklmno
sendgrid://key:me@example.org/you@example.org  seven://key/+15551234567
signal://signal.example/{FROM_TO}  signals://signal.example/{FROM_TO}  signl4://secret
simplepush://HuxgBB  sinch://abcdef01:abcdef01@{FROM_TO}
sparkpost://user@example.org/key1234/you@example.org  spike://{HEX}  splunk://route@apikey
victorops://route@apikey  squadcast://key_1  synology://nas.example/token123
synologys://nas.example/token123  telnyx://key@{FROM_TO}  threema://*GATEWAY@secret/ABCD1234
twilio://AC0123abc:token@{FROM_TO}  twist://pass:me@example.org/12:34
voipms://pass:me@example.org/{FROM_TO}  vonage://key:secret@{FROM_TO}  webex://{"a" * 80}
wxteams://{"a" * 80}  wecombot://key  whatsapp://token@123456789012345/+15551234567
zulip://bot@org/{HEX}/ops
"""
URLS = {url.partition("://")[0]: url for url in _URLS.split()}

ANSWER: dict[str, Any] = {
    "accessJwt": "a",
    "refreshJwt": "b",
    "did": "did:plc:1",
    "service": [
        {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": "https://pds.example",
        }
    ],
    "status": "success",
    "data": {"authToken": "t", "userId": "u"},
    "token": "t",
    "default_workspace": 3,
    "result": "success",
}
"""What some of them need to see before they send; the others look at the status alone."""
