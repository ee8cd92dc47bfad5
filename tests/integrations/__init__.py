"""The files of integrations/, run as they stand against the real server."""
