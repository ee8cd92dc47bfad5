"""The worker's side: accepted events become runs, and what is past its time goes."""
