"""The types of a spec's fields, and the base class of its parts."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from raykit import versions
from raykit.spec import names, quantity
from raykit.spec.rules import images

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}", re.ASCII)


class Part(BaseModel):
    """The base class of all parts of a spec: strict types, no unknown keys.

    The text below a field is its documentation: `raykit explain` and `raykit schema` show it.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
    )


def _env_name(text: str) -> str:
    if not _ENV_NAME.fullmatch(text):
        raise ValueError(f'"{text}" is not the name of an environment variable')
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError(f'"{text}" is no Ray version such as "{versions.RAY}"')
    return text


def _kuberay(text: str) -> str:
    if text not in versions.KNOWN_KUBERAY:
        raise ValueError(f'"{text}" is not known here: {" or ".join(versions.KNOWN_KUBERAY)}')
    return text


def _whole_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity(text: str) -> str:
    quantity.parse(text)
    return text


def _cidr(text: str) -> str:
    """A range as Kubernetes takes it: with a length, and no mask in its place."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as wrong:
        raise ValueError(f'"{text}" is no range of addresses such as 10.0.0.0/8: {wrong}') from None
    length = str(network.prefixlen)
    address = text.partition("/")[0]
    if text != f"{address}/{length}":
        raise ValueError(f'"{text}" is no range of addresses to Kubernetes: {address}/{length}')
    return text


def _mount_path(text: str) -> str:
    if not text.startswith("/") or ":" in text or ".." in text.split("/") or len(text) > 4096:
        raise ValueError(f'"{text}" is no absolute path in a container')
    return text


def _written(pattern: str, longest: int, example: str) -> FieldInfo:
    """The pattern and length of a text for the JSON Schema. The validators check the same."""
    field: FieldInfo = Field(
        json_schema_extra={"pattern": f"^(?:{pattern})$", "maxLength": longest},
        examples=[example],
    )
    return field


Quantity = Annotated[
    str,
    AfterValidator(_quantity),
    BeforeValidator(_whole_as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^(?:{quantity.JSON_PATTERN})$"},
                {"type": "integer", "minimum": 0},
            ]
        }
    ),
]
Count = Annotated[int, Field(ge=0, le=100_000)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
Env = Annotated[
    dict[Annotated[str, AfterValidator(_env_name)], str],
    Field(json_schema_extra={"propertyNames": {"pattern": f"^(?:{_ENV_NAME.pattern})$"}}),
]
Image = Annotated[
    str,
    AfterValidator(images.reference),
    _written(images.REFERENCE, images.LONGEST, "registry.example.com/ray:2.60.0"),
]
RayVersion = Annotated[str, AfterValidator(_version), _written(_VERSION.pattern, 14, versions.RAY)]
KubeRayVersion = Annotated[
    str,
    AfterValidator(_kuberay),
    Field(json_schema_extra={"enum": list(versions.KNOWN_KUBERAY)}),
]
ClusterName = Annotated[
    str,
    AfterValidator(names.cluster_name),
    _written(names.DNS_1035, names.LONGEST_CLUSTER, "my-cluster"),
]
GroupName = Annotated[
    str,
    AfterValidator(names.group_name),
    Field(
        json_schema_extra={
            "pattern": f"^(?:{names.DNS_1035})$",
            "maxLength": names.LONGEST_LABEL,
            "not": {"const": names.HEAD_GROUP},
        },
        examples=["workers"],
    ),
]
NamespaceName = Annotated[
    str,
    AfterValidator(names.namespace_name),
    _written(names.DNS_1123, names.LONGEST_LABEL, "raykit"),
]
VolumeName = Annotated[
    str,
    AfterValidator(names.volume_name),
    _written(names.DNS_1123, names.LONGEST_LABEL, "cache"),
]
JobName = Annotated[
    str, AfterValidator(names.job_name), _written(names.DNS_1035, names.LONGEST_JOB, "fib")
]
ObjectName = Annotated[
    str,
    AfterValidator(names.object_name),
    _written(names.SUBDOMAIN, names.LONGEST_OBJECT, "my-secret"),
]
LabelKey = Annotated[str, AfterValidator(names.label_key)]
LabelValue = Annotated[
    str,
    AfterValidator(names.label_value),
    _written(names.LABEL_VALUE, names.LONGEST_LABEL, "a-value"),
]
AnnotationKey = Annotated[str, AfterValidator(names.annotation_key)]
Labels = Annotated[
    dict[LabelKey, LabelValue],
    Field(json_schema_extra={"propertyNames": {"pattern": f"^(?:{names.LABEL_KEY})$"}}),
]
Duration = Annotated[str, AfterValidator(names.duration), _written(names.DURATION, 8, "30s")]
Cidr = Annotated[str, AfterValidator(_cidr), Field(examples=["10.0.0.0/8"])]
MountPath = Annotated[str, AfterValidator(_mount_path), _written(r"/[^:]*", 4096, "/data")]
