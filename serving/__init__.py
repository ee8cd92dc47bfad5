"""How gunicorn's processes behave: read by gunicorn.conf.py, before the application is loaded."""
