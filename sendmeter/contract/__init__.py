"""The contract, `openapi.yaml`: loaded once, asked for its operations, and checked."""

from sendmeter.contract.document import Contract, Operation, Parameter, contract, find, handlers_package, use

__all__ = ["Contract", "Operation", "Parameter", "contract", "find", "handlers_package", "use"]
