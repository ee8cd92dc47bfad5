"""The tools that can be connected: one line each."""

from app.console.automation_snippets import make_make, make_n8n, make_zapier
from app.console.script_snippets import make_http, make_node, make_python, make_shell
from app.console.snippet_parts import Tool

TOOLS = {
    tool.name: tool
    for tool in (
        Tool("n8n", "n8n", "workflow", "Paste nodes onto the canvas", make_n8n),
        Tool("make", "Make", "plug", "HTTP module, error route", make_make, is_remote=True),
        Tool("zapier", "Zapier", "zap", "Webhooks by Zapier", make_zapier, is_remote=True),
        Tool(
            "cron",
            "cron or shell",
            "terminal",
            "One file to put before the command",
            make_shell,
            short="cron",
        ),
        Tool("python", "Python", "file-code", "One file, urllib only", make_python),
        Tool("node", "Node", "braces", "One file, fetch only", make_node),
        Tool("http", "Any HTTP client", "globe", "curl to start from", make_http, short="HTTP"),
    )
}
