"""What may be chosen, what it is worth, what it may not do: [decision] and [trial].

`block`    the lines of [decision] in a fit file
`trial`    the lines of [trial]: arms, endpoints, and how patients are lost
`boin12`   the lines of [decision.boin12]: another way to score a design
`utility`  an expression of named estimands and amounts, parsed and never run as code
"""

from imak_pkpd.choice.block import (
    AmountChoice as AmountChoice,
    DecisionBlock as DecisionBlock,
    LimitBlock as LimitBlock,
    TimesChoice as TimesChoice,
)
from imak_pkpd.choice.boin12 import Boin12Block as Boin12Block
from imak_pkpd.choice.trial import (
    ArmBlock as ArmBlock,
    DeathBlock as DeathBlock,
    DropoutBlock as DropoutBlock,
    EndpointBlock as EndpointBlock,
    TrialBlock as TrialBlock,
)
from imak_pkpd.choice.utility import Utility as Utility, parse_utility as parse_utility
