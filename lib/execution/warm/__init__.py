"""The two scripts behind warm kernels (see `lib.execution.kernels`); they are run as files, so as not to load `lib`."""
