"""What people do with a workspace: set it up, sign in, keep workflows and API keys."""
