"""The command `imak`: one file per verb, wired together in `app`."""
