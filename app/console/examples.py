"""The command that people copy to report their first run."""

from app.clock import now
from app.links import public_url


def curl_command(slug: str | None, key: str | None = None) -> str:
    """Five lines with this server's address; where slug or key are not known, a stand-in."""
    ended_at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return "\n".join(
        (
            f"curl -X POST {public_url('/api/v1/ingest/run-success')} \\",
            f'  -H "X-API-Key: {key or "fp_your_key"}" \\',
            '  -H "Content-Type: application/json" \\',
            f'  -d \'{{"workflow_slug": "{slug or "your-workflow"}",',
            f'       "ended_at": "{ended_at}"}}\'',
        )
    )
