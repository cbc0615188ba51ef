"""The report of a run: one self-contained HTML page, and its tables as CSV.

`page`      `write_report`: every section made, the template filled.
`run`       what a run folder holds, whatever is missing.
`blocks`    what a section is made of.
`sections`  the chapters, one file each.
"""

from imak_pkpd.report.page import write_report as write_report
