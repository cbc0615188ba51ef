"""What the biology says. A model file imports from here and from nowhere else."""

from imak_pkpd.model.abstract import (
    AbstractLinear as AbstractLinear,
    AbstractModel as AbstractModel,
    AbstractStatic as AbstractStatic,
    AnyModel as AnyModel,
    Dosing as Dosing,
    Inputs as Inputs,
    Scalar as Scalar,
    State as State,
)
from imak_pkpd.model.inspection import (
    covariates_read as covariates_read,
    infusions_read as infusions_read,
)
from imak_pkpd.model.linear import Flow as Flow, flow as flow, propagate as propagate
from imak_pkpd.model.load import (
    ModelSource as ModelSource,
    load_model as load_model,
    model_source as model_source,
)
from imak_pkpd.model.parameter import (
    ParameterInfo as ParameterInfo,
    from_scale as from_scale,
    parameter as parameter,
    parameters as parameters,
    to_scale as to_scale,
)
