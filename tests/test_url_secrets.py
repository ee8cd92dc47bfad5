"""Secrets in addresses."""

import time

import pytest

from app.url_secrets import mask_database_url, mask_url_secrets

MASKED = {
    "http://u:pw@h/a": "http://******@h/a",
    "https://token@h:81/?a=1": "https://******@h:81/?a=1",
    "see <ftp://u:p@ss@h/> or //u:p@h": "see <ftp://******@h/> or //******@h",
    "/x?token=abc&a=1": "/x?token=******&a=1",
    "/x?a=1&api_key=abc#b": "/x?a=1&api_key=******#b",
    "?apikey=a&X-Amz-Signature=b&X-Amz-Credential=c": (
        "?apikey=******&X-Amz-Signature=******&X-Amz-Credential=******"
    ),
    "/?accessKey=a;sig=b;Password=c": "/?accessKey=******;sig=******;Password=******",
    "/?%74oken=abc&token[]=d": "/?%74oken=******&token[]=******",
    "/?auth=a&oauth=b&session=c&client_secret=d": (
        "/?auth=******&oauth=******&session=******&client_secret=******"
    ),
    "/?next=https%3A%2F%2Fu%3Apw%40h%2F%3Ftoken%3Dabc%26a%3D1": (
        "/?next=https%3A%2F%2F******%40h%2F%3Ftoken%3D******%26a%3D1"
    ),
}
LEFT = (
    "/api/v1/ingest/run-success?keyword=a&author=b&signal=c&passage=d&q=token",
    "mailto:ana@example.org, //h/@ana",
    "text/plain; charset=utf-8",
    "/?next=https%3A%2F%2Fh%2F%3Fa%3D1&mail=ana%40example.org",
    "?token=&a=1",
)


@pytest.mark.parametrize("text", MASKED)
def test_what_opens_something_is_starred_out(text: str) -> None:
    assert mask_url_secrets(text) == MASKED[text]
    assert mask_url_secrets(MASKED[text]) == MASKED[text]


@pytest.mark.parametrize("text", LEFT)
def test_all_else_stays(text: str) -> None:
    assert mask_url_secrets(text) == text


@pytest.mark.parametrize("sign", ["/", "//", "a", "?", "&", "?a=", "%3d", "?a=%3D", "@", ";="])
def test_a_long_text_takes_no_time(sign: str) -> None:
    began = time.perf_counter()
    mask_url_secrets("@=" + sign * (8_000 // len(sign)))
    assert time.perf_counter() - began < 0.5


DATABASES = {
    "postgresql://flow:s3cret@db/x": "postgresql://flow:******@db/x",
    "postgresql+psycopg2://flow:s3cret@db:5432/x?sslmode=require": (
        "postgresql+psycopg2://flow:******@db:5432/x?sslmode=require"
    ),
    "postgresql://flow@db/x?password=s3cret&sslmode=require&p%61ssword=s3cret": (
        "postgresql://flow@db/x?password=******&sslmode=require&p%61ssword=******"
    ),
    "postgresql:///x?sslpassword=s3=cr;e t&sslkey=/etc/a.key&host=db": (
        "postgresql:///x?sslpassword=******&sslkey=/etc/a.key&host=db"
    ),
    "postgresql://flow:s3@cr/e?t@db/x?user=a@b": "postgresql://flow:******@db/x?user=a@b",
    "postgresql://flow:s3?c=ret@db/x": "postgresql://flow:******@db/x",
    "postgresql://flow://s3cret@db/x": "postgresql://flow:******@db/x",
    "postgresql://flow:s3cret": "postgresql://flow:******",
    "postgresql:flow:s3cret@db/x": "postgresql:******@db/x",
    "flow:s3:cret@db/x": "flow:******@db/x",
    "host=db password = s3cret": "host=db password=******",
    "postgresql://a:5432,b:5433/x?passfile=/a": "postgresql://a:5432,b:5433/x?passfile=/a",
    "postgresql://flow@[::1]:5432/x": "postgresql://flow@[::1]:5432/x",
    "sqlite:////srv/flow.db": "sqlite:////srv/flow.db",
}


@pytest.mark.parametrize("url", DATABASES)
def test_a_database_is_shown_without_any_secret_of_its_url(url: str) -> None:
    assert mask_database_url(url) == DATABASES[url]
    assert mask_database_url(DATABASES[url]) == DATABASES[url]
