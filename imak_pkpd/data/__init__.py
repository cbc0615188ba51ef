"""What the patient file says: read, judged by rules, put in order.

`read_dataset` reads the file a `DataBlock` names into a `Dataset` with `findings`;
`check_file` judges a file with nothing declared.
"""

from imak_pkpd.data.block import DataBlock as DataBlock, ExcludeBlock as ExcludeBlock
from imak_pkpd.data.dataset import Dataset as Dataset, refuse_errors as refuse_errors
from imak_pkpd.data.expectations import (
    Expectations as Expectations,
    ExpectedCount as ExpectedCount,
    ExpectedOutput as ExpectedOutput,
)
from imak_pkpd.data.finding import (
    Finding as Finding,
    errors as errors,
    show_findings as show_findings,
    write_findings as write_findings,
)
from imak_pkpd.data.read import check_file as check_file, read_dataset as read_dataset
