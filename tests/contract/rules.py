"""The rules of our own that `openapi.yaml` keeps beside those of OpenAPI. Each gives what breaks it, in words."""

import inspect
import re
from importlib import import_module

from sendmeter.contract import handlers_package
from sendmeter.schemas import Schemas
from sendmeter.web.envelope import STATUSES

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMBINED = ("oneOf", "anyOf", "allOf")
CODES = {status: refusal.code for refusal, status in STATUSES.items()} | {500: "internal_error"}


def every_operation_says_who_it_is(document):
    """Each operation has a name, a tag that is told of, and words for its list and its page."""
    told = {tag["name"] for tag in document["tags"] if tag.get("description")}
    names = [operation.get("operationId") for _, operation in operations(document)]
    for where, operation in operations(document):
        for field in ("operationId", "tags", "summary", "description"):
            if not operation.get(field):
                yield f"{where} has no {field}"
        for tag in operation.get("tags", []):
            if tag not in told:
                yield f"{where} has the tag {tag}, which is not told of"
        if names.count(operation.get("operationId")) > 1:
            yield f"{where} has the operationId of another"


def every_body_has_examples(document):
    """Each media type of a request, and each of an answer, shows at least one body."""
    for where, content in contents(document):
        for media_type, body in content.items():
            if not body.get("examples"):
                yield f"{where} {media_type} has no examples"


def everything_is_described(document):
    """Each schema, property, parameter, header, answer and link is told of; one that is a reference by its target."""
    for where, value in [*named_schemas(document), *named_others(document)]:
        if not described(document, value):
            yield f"{where} is not described"


def everything_is_bounded(document):
    """Texts have a length, numbers two bounds, arrays and objects a size: nothing is stored that was not meant."""
    for where, schema in schemas(document):
        kind = schema.get("type")
        if kind is None and "$ref" not in schema and not any(word in schema for word in COMBINED):
            yield f"{where} has no type"
        if kind == "string" and not ("maxLength" in schema or "enum" in schema):
            yield f"{where} is a text of any length"
        if kind in ("integer", "number") and not ({"minimum", "maximum"} <= schema.keys() or "enum" in schema):
            yield f"{where} is a number without bounds"
        if kind == "array" and not {"items", "maxItems"} <= schema.keys():
            yield f"{where} is an array of any length"
        if kind == "object" and not (schema.get("additionalProperties") is False or "maxProperties" in schema):
            yield f"{where} is an object with any members"
        if kind == "object" and not schema.keys() & {"properties", "additionalProperties"}:
            yield f"{where} is an object that says nothing of its members"
        for name in schema.get("required", []):
            if name not in schema.get("properties", {}) and schema.get("additionalProperties", True) is False:
                yield f"{where} requires {name}, which it does not know"


def parameters_are_what_connexion_can_read(document):
    """A combined parameter is a KeyError in connexion 3.3, and an integer in a header is always a 400."""
    for where, parameter in parameters(document):
        schema = resolve(document, parameter["schema"])
        if any(word in schema for word in COMBINED) or "type" not in schema:
            yield f"{where} {parameter['name']} is of a combined schema"
        if parameter["in"] == "header" and schema.get("type") == "integer":
            yield f"{where} {parameter['name']} is an integer in a header"


def what_needs_a_key_says_so(document):
    """An operation that asks for a key answers 401, and one that asks for a scope 403; the others do neither."""
    for where, operation in operations(document):
        public = operation.get("security", document["security"]) == []
        scope = "x-required-scope" in operation
        if public == ("401" in operation["responses"]):
            yield f"{where} {'answers 401 but asks for no key' if public else 'asks for a key but answers no 401'}"
        if scope != ("403" in operation["responses"]):
            yield f"{where} {'asks for a scope but answers no 403' if scope else 'answers 403 but asks for no scope'}"


def what_a_path_names_may_not_be_there(document):
    """An operation with a parameter in its path answers 404, and each such parameter is required."""
    for where, operation in operations(document):
        given = [resolve(document, parameter) for parameter in operation.get("parameters", [])]
        named = [parameter for parameter in given if parameter["in"] == "path"]
        if {f"{{{each['name']}}}" for each in named} != set(re.findall(r"\{\w+\}", where)):
            yield f"{where} has other parameters than its path"
        if bool(named) != ("404" in operation["responses"]):
            yield f"{where} {'answers no 404' if named else 'answers 404 but names nothing'}"
        yield from (f"{where} {each['name']} is not required" for each in named if not each.get("required"))


def what_takes_a_body_refuses_some(document):
    """An operation with a body answers 400, 413 and 415; one without neither 413 nor 415."""
    for where, operation in operations(document):
        for status in ("413", "415"):
            if ("requestBody" in operation) != (status in operation["responses"]):
                yield f"{where} {'takes a body' if 'requestBody' in operation else 'takes no body'}: {status}"
        if "400" not in operation["responses"]:
            yield f"{where} answers no 400"


def every_error_has_the_one_body(document):
    """Each error is an ErrorResponse, and its examples have the code of its status."""
    for where, status, answer in answers(document):
        content = answer.get("content", {})
        if int(status) < 400:
            continue
        if list(content) != ["application/json"]:
            yield f"{where} {status} is not application/json alone"
        for body in content.values():
            if body.get("schema") != {"$ref": "#/components/schemas/ErrorResponse"}:
                yield f"{where} {status} is no ErrorResponse"
            for name, example in body.get("examples", {}).items():
                code = resolve(document, example)["value"].get("error", {}).get("code")
                if code != CODES.get(int(status)):
                    yield f"{where} {status} example {name} has the code {code}"


def every_answer_names_its_request(document):
    """Each answer has the header X-Tracking-Id, and those that HTTP asks for beside it."""
    wanted = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    for where, status, answer in answers(document):
        for name in filter(None, ("X-Tracking-Id", wanted.get(status))):
            if name not in answer.get("headers", {}):
                yield f"{where} {status} has no header {name}"


def examples_are_valid(document):
    """Each example and each default is what its schema says."""
    compiled = Schemas(document)
    for where, content in contents(document):
        for media_type, body in content.items():
            for name, example in body.get("examples", {}).items():
                for fault in compiled.validator(body["schema"]).faults(resolve(document, example)["value"]):
                    yield f"{where} {media_type} example {name}: {fault.pointer} {fault.message}"
    for where, schema in schemas(document):
        for word in schema.keys() & {"example", "default"}:
            for fault in compiled.validator(schema).faults(schema[word]):
                yield f"{where} {word}: {fault.pointer} {fault.message}"
    for where, parameter in parameters(document):
        if "example" in parameter and not compiled.validator(parameter["schema"]).accepts(parameter["example"]):
            yield f"{where} {parameter['name']} has an example that it refuses"


def links_lead_somewhere(document):
    """Each link names an operation, and parameters that it has."""
    known = {operation["operationId"]: operation for _, operation in operations(document) if "operationId" in operation}
    for where, status, answer in answers(document):
        for name, link in answer.get("links", {}).items():
            target = known.get(link.get("operationId"))
            if target is None:
                yield f"{where} {status} link {name} leads nowhere"
                continue
            taken = {resolve(document, parameter)["name"] for parameter in target.get("parameters", [])}
            for parameter in link.get("parameters", {}):
                if parameter.partition(".")[2] not in taken and parameter not in taken:
                    yield f"{where} {status} link {name} gives {parameter}, which its target does not take"


def every_operation_has_its_function(document):
    """The operation `a.b` is `b` in `handlers/a.py`, and there is no function without an operation."""
    found = {operation.get("operationId", "") for _, operation in operations(document)}
    functions = {}
    for name in sorted({operation_id.partition(".")[0] for operation_id in found}):
        try:
            module = import_module(f"{handlers_package()}.{name}")
        except ModuleNotFoundError:
            continue
        for function, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not function.startswith("_"):
                functions[f"{name}.{function}"] = value
    yield from (f"{operation_id} has no function" for operation_id in sorted(found - functions.keys()))
    yield from (f"the function {name} has no operation" for name in sorted(functions.keys() - found))


def nothing_is_named_in_vain(document):
    """Each component is used, and each reference has its target."""
    used = {value["$ref"] for value in parts(document) if isinstance(value.get("$ref"), str)}
    for kind, components in document["components"].items():
        if kind != "securitySchemes":
            for name in components:
                if f"#/components/{kind}/{name}" not in used:
                    yield f"#/components/{kind}/{name} is not used"
    for value in parts(document):
        mapped = value["mapping"].values() if isinstance(value.get("mapping"), dict) else ()
        yield from (f"{target} is not there" for target in mapped if target not in used)


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def answers(document):
    for where, operation in operations(document):
        for status, answer in operation["responses"].items():
            yield where, status, resolve(document, answer)


def parameters(document):
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            yield where, resolve(document, parameter)


def contents(document):
    for where, operation in operations(document):
        if "requestBody" in operation:
            yield f"{where} request", resolve(document, operation["requestBody"])["content"]
    for where, status, answer in answers(document):
        if "content" in answer:
            yield f"{where} {status}", answer["content"]


def schemas(document):
    """Walk all schemas, those within others too."""
    for name, schema in document["components"]["schemas"].items():
        yield from within(f"#/components/schemas/{name}", schema)
    for name, header in document["components"].get("headers", {}).items():
        yield from within(f"#/components/headers/{name}", header["schema"])
    for where, parameter in parameters(document):
        yield from within(f"{where} {parameter['name']}", parameter["schema"])
    for where, content in contents(document):
        for media_type, body in content.items():
            yield from within(f"{where} {media_type}", body["schema"])


def within(where, schema):
    yield where, schema
    for name, part in schema.get("properties", {}).items():
        yield from within(f"{where}/properties/{name}", part)
    for word in COMBINED:
        for index, part in enumerate(schema.get(word, [])):
            yield from within(f"{where}/{word}/{index}", part)
    for word in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(word), dict):
            yield from within(f"{where}/{word}", schema[word])


def named_schemas(document):
    """Walk the schemas that have a name of their own, or stand for each member of an array or a map."""
    for where, schema in schemas(document):
        steps = where.split("/")
        if where.startswith("#/components/schemas/") and not (set(steps) & {*COMBINED, "not"}):
            yield where, schema


def named_others(document):
    """Walk parameters, headers, answers, links and ways to show a key."""
    for kind in ("parameters", "headers", "responses", "securitySchemes"):
        for name, component in document["components"].get(kind, {}).items():
            yield f"#/components/{kind}/{name}", component
    for where, operation in operations(document):
        for index, parameter in enumerate(operation.get("parameters", [])):
            yield f"{where} parameter {index}", parameter
        for status, answer in operation["responses"].items():
            yield f"{where} {status}", answer
    for where, status, answer in answers(document):
        for name, link in answer.get("links", {}).items():
            yield f"{where} {status} link {name}", link


def described(document, value):
    return bool(value.get("description") or resolve(document, value).get("description"))


def resolve(document, value):
    while "$ref" in value:
        target = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def parts(value):
    """Walk all objects of a document."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)
