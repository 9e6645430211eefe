"""The two scripts behind warm kernels (see `lib.tools.run.kernels`); they are run as files, so as not to load `lib`."""
