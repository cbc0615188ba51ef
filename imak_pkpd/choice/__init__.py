"""What may be chosen, what it is worth, and what it may not do: [decision].

`block`    the lines of [decision] in a fit file
`utility`  an expression of named estimands and amounts, parsed and never run as code
"""

from imak_pkpd.choice.block import (
    AmountChoice as AmountChoice,
    DecisionBlock as DecisionBlock,
    LimitBlock as LimitBlock,
    TimesChoice as TimesChoice,
)
from imak_pkpd.choice.utility import Utility as Utility, parse_utility as parse_utility
