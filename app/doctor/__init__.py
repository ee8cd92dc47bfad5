"""What is wrong with the server, and how to mend it: for the command line, pages and probes."""
