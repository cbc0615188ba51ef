"""What pydantic found, as one sentence per error with the file and the line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from imak_pkpd.fit.grammar import Source
from imak_pkpd.fit.lines import Key
from imak_pkpd.population.refusal import hint

Schema = Mapping[str, Any]


def sentences(
    error: ValidationError, source: Source, model: type[BaseModel]
) -> list[str]:
    """The errors in the order of the files and their lines."""
    schema = model.model_json_schema()
    found = [_one(each, source, schema) for each in error.errors()]
    order = {file.path: place for place, file in enumerate(source.files)}
    found.sort(key=lambda each: _rank(source, each[0], each[1], order))
    return list(dict.fromkeys(source.sentence(path, text) for path, text in found))


def _rank(
    source: Source, path: Key, text: str, order: Mapping[Any, int]
) -> tuple[int, int, bool]:
    """By file, then line; on one line a misspelt key before what is then missing."""
    place = source.place(*path)
    return order.get(place.path, 0), place.line, text.endswith("is missing")


def _one(error: Any, source: Source, schema: Schema) -> tuple[Key, str]:
    """The path of the key, as far as it exists, and the text."""
    context = error.get("ctx", {})
    path = in_tree(error["loc"], source.tree)
    match error["type"]:
        case "extra_forbidden":
            known = known_keys(schema, error["loc"][:-1])
            text = f"unknown key '{path[-1]}'{hint(str(path[-1]), known)}"
            return path, text + _how_to_drop(source, path)
        case "missing":
            return path, f"the key '{error['loc'][-1]}' is missing"
        case "unknown_key" | "distribution":
            key = (*path, context["key"])
            return key, error["msg"] + _how_to_drop(source, key)
        case "refused":
            return path, error["msg"]
        case "union_tag_not_found":
            return path, f"the key {context['discriminator']} is missing"
        case "union_tag_invalid":
            tags = context["expected_tags"]
            near = hint(context["tag"], tags.replace("'", "").split(", "))
            key = (*path, context["discriminator"].strip("'"))
            return key, f"got '{context['tag']}'{near}: write one of {tags}"
        case "literal_error":
            near = _near(error["input"], context["expected"])
            return path, f"got {error['input']!r}{near}: write {context['expected']}"
        case _:
            expected = error["msg"].replace("Input should be", "expected")
            expected = expected.removeprefix("Value error, ")
            return path, f"got {error['input']!r}: {expected}"


def _near(got: Any, expected: str) -> str:
    words = expected.replace("'", "").replace(" or ", ", ").split(", ")
    return hint(str(got), words)


def _how_to_drop(source: Source, path: Key) -> str:
    """Advice where a file below sets a key that no longer fits."""
    own = source.files[0].path if source.files else None
    if source.place(*path).path == own:
        return ""
    return f'; in {own.name if own else "fit"} write {path[-1]} = "drop" to remove it'


def in_tree(loc: Sequence[str | int], tree: Any) -> Key:
    """The location without pydantic's own words: only keys that are in the file."""
    path: Key = ()
    for step in loc:
        inside = (
            step in tree
            if isinstance(tree, Mapping)
            else isinstance(tree, list) and isinstance(step, int) and step < len(tree)
        )
        if inside:
            path, tree = (*path, step), tree[step]
    return path


def known_keys(schema: Schema, loc: Sequence[str | int]) -> list[str]:
    """The keys that the table at a location may have, by the JSON schema."""
    definitions = schema.get("$defs", {})
    here = [schema]
    for step in loc:
        here = [inner for each in here for inner in _inner(each, step, definitions)]
    return [key for each in here for key in each.get("properties", {})]


def _inner(schema: Schema, step: str | int, definitions: Schema) -> Iterator[Schema]:
    """The schemas that `step` leads to from one schema, references followed."""
    inner = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
    inner = schema.get("items", inner) if isinstance(step, int) else inner
    tag = schema.get("discriminator", {}).get("mapping", {}).get(step)
    for each in (inner, {"$ref": tag} if tag else None):
        if isinstance(each, Mapping):
            yield from _followed(each, definitions)


def _followed(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    reference = schema.get("$ref")
    if reference is not None:
        schema = definitions[reference.rpartition("/")[2]]
    yield schema
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _followed(each, definitions)
