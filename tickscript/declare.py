"""How a node kind, or an alert handler, is declared: once, as a class with typed properties.

A declaration is a dataclass whose fields are made by the specifiers below. Each field is an attribute with a Python
value (what operators and handlers read) and at the same time a property of the language (what scripts call). From the
fields are derived: the chaining method's parameters, property calls and their errors (nodes.md 2.6, tickscript.md 3.3
and 3.4), pipeline JSON (8.3), canonical script text (8.5), the plan, and the reference documentation.

Always: fields stand in the order in which the canonical text calls them (those named in `trailing` last); a class
attribute `json_order` lists JSON keys where that order differs. A value that was never set is the field's default.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tickscript import ast
from tickscript.nodes.types import BOOL, STRING, Type
from tickscript.scope import go_type

T = TypeVar("T", bound="Declared")
Arguments = Sequence[object]
# What a property call leaves on the left of the next one: the declared thing itself, or a handler that it made.
Apply = Callable[[Any, Arguments], "Declared"]
# The argument lists with which the canonical text calls a property.
Printed = Iterable[tuple[ast.Expr, ...]]


class CallError(Exception):
    """A call cannot be made; the evaluator says where, and of what, around this text.

    `bare`: the text stands alone behind the position, without `error calling func`.
    """

    def __init__(self, text: str, *, bare: bool = False) -> None:
        super().__init__(text)
        self.bare = bare


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a method: fixed ones, then any number of `variadic`."""

    fixed: tuple[Type, ...] = ()
    variadic: Type | None = None

    def check(self, args: Arguments) -> None:
        """CallError, in the wording of spec 3.4, unless the call fits."""
        for position, value in enumerate(args):
            parameter = self.fixed[position] if position < len(self.fixed) else self.variadic
            if parameter is STRING and isinstance(value, ast.Reference):
                raise _double_quotes()
        if len(args) < len(self.fixed):
            raise CallError("reflect: Call with too few input arguments")
        if self.variadic is None and len(args) > len(self.fixed):
            raise CallError("reflect: Call with too many input arguments")
        for value, parameter in zip(args, self.fixed, strict=False):
            if not parameter.accepts(value):
                raise CallError(f"reflect: Call using {go_type(value)} as type {parameter.go}")
        if self.variadic is not None:
            for value in args[len(self.fixed) :]:
                if not self.variadic.accepts(value):
                    raise CallError(f"reflect: cannot use {go_type(value)} as type {self.variadic.go} in Call")


def _double_quotes() -> CallError:
    text = "cannot assign *ast.ReferenceNode to type string, did you use double quotes instead of single quotes?"
    return CallError(text, bare=True)


class Form(Enum):
    """How a script reaches a property."""

    SLOT = "slot"  # `.p(value)` sets it, `.p` reads it; a repeated call overwrites
    FLAG = "flag"  # `.p()` switches it on
    LIST = "list"  # `.p(values…)` replaces the list
    APPENDED = "appended"  # `.p(values…)` appends to the list
    PAIRS = "pairs"  # `.p(key, value)` adds one pair
    METHOD = "method"  # `.p(args)` follows rules of its own
    ARGUMENT = "argument"  # a parameter of the chaining method; also a slot
    ARGUMENTS = "arguments"  # the variadic parameter of the chaining method
    STATE = "state"  # set along with another property


class Shape(Enum):
    """What the attribute holds: one value, a tuple of values, or a dict from str to values."""

    ONE = "one"
    MANY = "many"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property. `declare` fills in `attribute` and `name`; `json` is "" for what JSON leaves out."""

    form: Form
    type: Type
    doc: str
    shape: Shape = Shape.ONE
    attribute: str = ""
    name: str = ""
    json: str | None = None
    signature: Signature = Signature()
    apply: Apply | None = None
    prints: Callable[[Any], Printed] | None = None
    empty_is_null: bool = False
    empty_is_absent: bool = False
    unprinted: bool = False
    zero_counts: bool = False

    @property
    def is_slot(self) -> bool:
        return self.form in {Form.SLOT, Form.ARGUMENT, Form.ARGUMENTS}

    def call(self, owner: Declared, args: Arguments) -> Declared:
        """Make the property call `.name(args)` on `owner`; what it leaves, or CallError."""
        if self.is_slot:
            self._set(owner, args)
            return owner
        self.signature.check(args)
        match self.form:
            case Form.FLAG:
                setattr(owner, self.attribute, True)
            case Form.LIST | Form.APPENDED:
                before = getattr(owner, self.attribute) if self.form is Form.APPENDED else ()
                setattr(owner, self.attribute, (*before, *map(self.type.convert, args)))
                owner.given.add(self.attribute)
            case Form.PAIRS:
                getattr(owner, self.attribute)[args[0]] = self.type.convert(args[1])
            case _:
                assert self.apply is not None
                return self.apply(owner, args)
        return owner

    def _set(self, owner: Declared, args: Arguments) -> None:
        if len(args) != 1:
            raise CallError(f"too many arguments to set property {capitalise(self.name)} on {owner.go_type}", bare=True)
        value = args[0]
        if self.type is STRING and isinstance(value, ast.Reference):
            raise _double_quotes()
        if self.shape is not Shape.ONE or not self.type.accepts(value):
            word = self.type.go if self.shape is Shape.ONE else f"[]{self.type.go}"
            raise CallError(f"reflect.Set: value of type {go_type(value)} is not assignable to type {word}")
        setattr(owner, self.attribute, self.type.convert(value))

    def printed(self, owner: Declared) -> Iterator[tuple[ast.Expr, ...]]:
        """The calls that set this property to what it is, as argument lists (spec 8.5)."""
        value = getattr(owner, self.attribute)
        match self.form:
            case Form.SLOT if (value != self.type.zero or self.zero_counts) and not self.unprinted:
                yield (self.type.literal(value),)
            case Form.FLAG if value:
                yield ()
            case Form.LIST if value or self.attribute in owner.given:
                yield tuple(map(self.type.literal, value))
            case Form.APPENDED:
                yield from ((self.type.literal(item),) for item in value)
            case Form.PAIRS:
                yield from ((STRING.literal(key), self.type.literal(value[key])) for key in sorted(value))
            case Form.METHOD if self.prints is not None:
                yield from self.prints(owner)

    def to_json(self, owner: Declared) -> Any:
        value = getattr(owner, self.attribute)
        match self.shape:
            case Shape.ONE:
                return self.type.to_json(value)
            case Shape.MANY:
                # A list that a call left empty is told from one that no call has set (spec 8.3).
                return [self.type.to_json(item) for item in value] if value or self.attribute in owner.given else None
            case Shape.MAP:
                return (
                    {key: self.type.to_json(value[key]) for key in value} if value or not self.empty_is_null else None
                )

    def from_json(self, value: Any) -> Any:
        """The attribute's value; ValueError (DurationError for a duration) when the JSON does not fit."""
        match self.shape:
            case Shape.ONE:
                return self.type.from_json(value)
            case Shape.MANY:
                return tuple(self.type.from_json(item) for item in _expect(list, value))
            case Shape.MAP:
                return {key: self.type.from_json(item) for key, item in _expect(dict, value).items()}

    def pack(self, value: Any) -> Any:
        match self.shape:
            case Shape.ONE:
                return self.type.pack(value)
            case Shape.MANY:
                return [self.type.pack(item) for item in value]
            case Shape.MAP:
                return {key: self.type.pack(value[key]) for key in value}

    def unpack(self, value: Any) -> Any:
        match self.shape:
            case Shape.ONE:
                return self.type.unpack(value)
            case Shape.MANY:
                return tuple(self.type.unpack(item) for item in value)
            case Shape.MAP:
                return {key: self.type.unpack(value[key]) for key in value}


def _expect(kind: type, value: Any) -> Any:
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise ValueError(f"expected {kind.__name__}")  # noqa: TRY004  (one kind of error for all that JSON can get wrong)
    return value


def _field(default: Any, declared: Property) -> Any:
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata={"property": declared})
    return dataclasses.field(default=default, metadata={"property": declared})


def slot(
    type_: Type, default: Any, doc: str, *, name: str = "", json: str | None = None, absent: bool = False,
    unprinted: bool = False, computed: bool = False,
) -> Any:  # fmt: skip
    """A property with exactly one argument; the last call wins.

    `absent`: JSON has the key only when it is set. `unprinted`: the canonical text says it in another call.
    `computed`: the node itself sets the default, so that only a script can have set the zero value.
    """
    declared = Property(
        form=Form.SLOT, type=type_, doc=doc, name=name, json=json, empty_is_absent=absent, unprinted=unprinted,
        zero_counts=computed or default != type_.zero,
    )  # fmt: skip
    return _field(default, declared)


def flag(doc: str, *, name: str = "", json: str | None = None) -> Any:
    """A property without arguments that switches something on."""
    return _field(False, Property(form=Form.FLAG, type=BOOL, doc=doc, name=name, json=json))


def argument(type_: Type, doc: str, *, default: Any = None, name: str = "", json: str | None = None) -> Any:
    """The next parameter of the chaining method."""
    return _field(default, Property(form=Form.ARGUMENT, type=type_, doc=doc, name=name, json=json))


def arguments(type_: Type, doc: str, *, name: str = "", json: str | None = None) -> Any:
    """The variadic parameter of the chaining method: a tuple."""
    return _field((), Property(form=Form.ARGUMENTS, type=type_, shape=Shape.MANY, doc=doc, name=name, json=json))


def many(
    type_: Type, doc: str, *, name: str = "", json: str | None = None, append: bool = False, single: bool = False
) -> Any:
    """A property with any number of arguments, or a `single` one, a tuple; a repeated call replaces, or appends."""
    form = Form.APPENDED if append else Form.LIST
    signature = Signature((type_,)) if single else Signature((), type_)
    return _field(
        (), Property(form=form, type=type_, shape=Shape.MANY, doc=doc, name=name, json=json, signature=signature)
    )


def pairs(type_: Type, doc: str, *, name: str, json: str | None = None, null: bool = False) -> Any:
    """A property with a key and a value, repeatable: a dict. `null`: JSON writes an empty one as null."""
    declared = Property(
        form=Form.PAIRS, type=type_, shape=Shape.MAP, doc=doc, name=name, json=json,
        signature=Signature((STRING, type_)), empty_is_null=null,
    )  # fmt: skip
    return _field({}, declared)


def special(
    type_: Type, signature: Signature, apply: Apply, prints: Callable[[Any], Printed] | None, doc: str, *,
    default: Any = None, shape: Shape = Shape.ONE, name: str = "", json: str | None = None,
) -> Any:  # fmt: skip
    """A property with rules of its own: `apply` sets attributes and returns what the call leaves."""
    declared = Property(
        form=Form.METHOD, type=type_, shape=shape, doc=doc, name=name, json=json, signature=signature, apply=apply,
        prints=prints,
    )  # fmt: skip
    return _field(default, declared)


def state(type_: Type, default: Any, *, json: str | None = None, shape: Shape = Shape.ONE) -> Any:
    """An attribute that no property of its own sets, but that JSON (if `json` is not "") and the plan carry."""
    return _field(default, Property(form=Form.STATE, type=type_, shape=shape, doc="", json=json))


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that is derived from a declaring class once, when it is declared."""

    go_type: str
    doc: str
    properties: tuple[Property, ...]
    json_properties: tuple[Property, ...]
    signature: Signature
    by_name: Mapping[str, Property]

    def lookup(self, name: str) -> Property | None:
        """The property that a script calls `name`: only the first letter's case is free (spec 3.3)."""
        return self.by_name.get(capitalise(name))

    def bind(self, args: Arguments) -> dict[str, Any]:
        """The attributes that the arguments of the chaining method give; CallError unless they fit."""
        self.signature.check(args)
        fixed = [declared for declared in self.properties if declared.form is Form.ARGUMENT]
        values = {
            declared.attribute: declared.type.convert(value) for declared, value in zip(fixed, args, strict=False)
        }
        for declared in self.properties:
            if declared.form is Form.ARGUMENTS:
                values[declared.attribute] = tuple(map(declared.type.convert, args[len(fixed) :]))
                values["given"] = {declared.attribute}
        return values


def capitalise(name: str) -> str:
    return name[:1].upper() + name[1:]


def camel_case(attribute: str) -> str:
    head, *rest = attribute.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


@dataclass(eq=False, repr=False, kw_only=True)
class Declared:
    """Base of all declarations. `given` names the list attributes that a call has set, if only to nothing."""

    declaration: ClassVar[Declaration]
    go_name: ClassVar[str] = ""
    go_suffix: ClassVar[str] = ""
    example: ClassVar[str] = ""
    json_order: ClassVar[tuple[str, ...]] = ()
    trailing: ClassVar[tuple[str, ...]] = ()
    is_node: ClassVar[bool] = False

    given: set[str] = dataclasses.field(default_factory=set)

    @property
    def go_type(self) -> str:
        """The class in error texts, e.g. "*pipeline.WindowNode"."""
        return self.declaration.go_type

    def __repr__(self) -> str:
        values = ", ".join(f"{p.attribute}={getattr(self, p.attribute)!r}" for p in self.declaration.properties)
        return f"{type(self).__name__}({values})"

    def printed_args(self) -> tuple[ast.Expr, ...]:
        """The arguments of the call that makes this, in the canonical text (spec 8.5)."""
        args: list[ast.Expr] = []
        for declared in self.declaration.properties:
            value = getattr(self, declared.attribute)
            if declared.form is Form.ARGUMENT:
                args.append(declared.type.literal(value))
            elif declared.form is Form.ARGUMENTS:
                args += map(declared.type.literal, value)
        return tuple(args)

    def json_fields(self) -> dict[str, Any]:
        """The JSON keys of the properties, in order (spec 8.3)."""
        fields: dict[str, Any] = {}
        for declared in self.declaration.json_properties:
            if getattr(self, declared.attribute) or not declared.empty_is_absent:
                fields[str(declared.json)] = declared.to_json(self)
        return fields

    @classmethod
    def from_json_fields(cls, data: Mapping[str, Any]) -> Self:
        """The declared thing of its JSON keys; a missing key means the zero value, ValueError what does not fit."""
        made = cls()
        for declared in cls.declaration.json_properties:
            value = data.get(str(declared.json))
            setattr(made, declared.attribute, declared.from_json(value))
            if declared.shape is Shape.MANY and value is not None:
                made.given.add(declared.attribute)
        return made

    def pack(self) -> dict[str, Any]:
        """All attributes as plain msgpack values, without loss."""
        packed = {p.attribute: p.pack(getattr(self, p.attribute)) for p in self.declaration.properties}
        return {**packed, "given": sorted(self.given)} if self.given else packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """The inverse of `pack`."""
        made = cls(given=set(packed.get("given", ())))
        for declared in cls.declaration.properties:
            setattr(made, declared.attribute, declared.unpack(packed[declared.attribute]))
        return made


# Without field specifiers every assignment counts as a default: all attributes have one.
@dataclass_transform(eq_default=False, kw_only_default=True)
def declare(cls: type[T]) -> type[T]:
    """Class decorator: make the class a declaration."""
    made = dataclass(eq=False, repr=False, kw_only=True)(cls)
    fields = {entry.name: entry.metadata.get("property") for entry in dataclasses.fields(made)}
    properties = []
    for attribute in _order(made):
        declared = fields.get(attribute)
        if declared is not None:
            name = declared.name or camel_case(attribute)
            json = name if declared.json is None else declared.json
            properties.append(dataclasses.replace(declared, attribute=attribute, name=name, json=json))
    made.declaration = _derive(made, properties)
    return made


def _order(cls: type[Declared]) -> list[str]:
    """Attributes in order of declaration, bases first; one that is declared again stands where it was last."""
    order: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        for attribute in inspect.get_annotations(base):
            order.pop(attribute, None)
            order[attribute] = None
    return sorted(order, key=lambda attribute: attribute in cls.trailing)


def _has_name(declared: Property) -> bool:
    """Whether scripts can call the property: not what is set with others, nor parameters that the reference keeps apart."""
    return declared.form is not Form.STATE and (
        declared.form not in {Form.ARGUMENT, Form.ARGUMENTS} or bool(declared.json)
    )


def _derive(cls: type[Declared], properties: list[Property]) -> Declaration:
    in_json = [declared for declared in properties if declared.json]
    if cls.json_order:
        in_json.sort(key=lambda declared: cls.json_order.index(str(declared.json)))
    fixed = tuple(declared.type for declared in properties if declared.form is Form.ARGUMENT)
    variadic = next((declared.type for declared in properties if declared.form is Form.ARGUMENTS), None)
    return Declaration(
        go_type=f"*pipeline.{cls.go_name or cls.__name__ + cls.go_suffix}",
        doc=inspect.cleandoc(cls.__doc__ or ""),
        properties=tuple(properties),
        json_properties=tuple(in_json),
        signature=Signature(fixed, variadic),
        by_name={capitalise(p.name): p for p in properties if _has_name(p)},
    )
