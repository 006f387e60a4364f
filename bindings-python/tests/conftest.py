from fixtures import container_runtime, data_dir  # noqa: F401
