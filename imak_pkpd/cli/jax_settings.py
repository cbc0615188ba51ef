"""What the command line sets in JAX before its first use; an import sets nothing."""


def prepare_jax() -> None:
    """Switches float64 on and keeps compiled programs on disk."""
    import jax

    from imak_pkpd.fit.compilation import keep_compiled_programs

    jax.config.update("jax_enable_x64", True)
    keep_compiled_programs()
