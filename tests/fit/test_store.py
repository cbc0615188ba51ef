"""What a result keeps of the sites of a fit."""

import numpy as np

from imak_pkpd.fit.tree import public_sites


def test_a_parameter_may_be_called_as_a_site_of_the_sampler() -> None:
    """z_rho without, z_K with an eta; z_CL and z_CL_V are the sampler's."""
    kept = {
        *("theta_CL", "CL_pop", "omega_CL", "eta_CL", "CL"),
        *("theta_z_rho", "z_rho_pop", "omega_z_K", "eta_z_K", "z_K"),
    }
    inner = {"z_CL", "z_z_K", "z_CL_V", "phi_V", "cholesky_CL_V"}
    found = public_sites(dict.fromkeys(sorted(kept | inner), np.zeros(1)))
    assert set(found) == kept
