"""`python -m imak_pkpd.cli` is `imak`."""

from imak_pkpd.cli.app import main

main()
