"""Writes vectors.json: Avro bytes by two other implementations, which have to agree before a vector is kept.

    python3 -m venv venv && venv/bin/pip install avro==1.12.2 fastavro==1.13.1
    venv/bin/python libs/contracts/vectors/generate.py

A vector whose name starts with "decode only" is not what we write. Values are in this library's TypeScript forms, with what JSON has no form for tagged: {"$long": "1"} bigint,
{"$bytes": "00ff"} Buffer, {"$date": "2026-01-01T00:00:00.000Z"} Date. `read` is there where reader and writer differ.
"""
import datetime
import decimal
import io
import json
import pathlib
from importlib.metadata import version

import avro.io
import avro.schema
import fastavro

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def record(fields, name="R"):
    return {"type": "record", "name": name, "namespace": "vectors", "fields": fields}


def field(name, type_, **more):
    return {"name": name, "type": type_, **more}


def one(type_):
    return record([field("v", type_)])


def long(n):
    return {"$long": str(n)}


DECODE_ONLY = "decode only: "
LONGS = [0, -1, 1, -64, 63, 64, -65, 2**31, -(2**31) - 1, 2**50, 2**51 - 1, 2**51, -(2**51), 2**53 - 1, 2**53 + 1,
         -(2**53) - 1, 2**56 + 12345, -(2**56) - 12345, 2**62 + 3, 2**63 - 1, -(2**63)]
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2}
FIXED_DECIMAL = {"type": "fixed", "name": "D", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 4}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
UUID = {"type": "string", "logicalType": "uuid"}
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
POINT = record([field("x", "int"), field("y", "int")], "Point")
TREE = record([field("v", "int"), field("children", {"type": "array", "items": "vectors.Tree"})], "Tree")
WIDE = ["null", "string", "long", "double", "boolean", "bytes", POINT, {"type": "array", "items": "int"},
        {"type": "map", "values": "string"}]

SAME = [
    ("boolean", one("boolean"), [True, False]),
    ("int", one("int"), [0, -1, 1, 2147483647, -2147483648, 8191, -8192]),
    ("long", one("long"), [long(n) for n in LONGS]),
    ("float", one("float"), [0, 1.5, -3.25, 2.0**100]),
    ("double", one("double"), [0, 0.1, -1e300, 5e-324, 9007199254740993.0]),
    ("string", one("string"), ["", "a", "Zürich 🌍 漢字", "x" * 200, "\u0000"]),
    ("bytes", one("bytes"), [{"$bytes": ""}, {"$bytes": "00ff80"}]),
    ("fixed", one({"type": "fixed", "name": "F", "size": 4}), [{"$bytes": "deadbeef"}]),
    ("enum", one(ENUM), ["A", "C"]),
    ("decimal of bytes", one(DECIMAL),
     ["0.00", "12.30", "-12.30", "0.01", "-0.01", "1.27", "1.28", "-1.27", "-1.29", "327.67", "327.68",
      "9999999999999999999999999999.99", "-9999999999999999999999999999.99"]),
    # Both Python libraries write ff80 where 80 is enough (Java's BigInteger writes 80, and so do we): only read.
    (DECODE_ONLY + "decimal of one byte more than needed", one(DECIMAL), ["-1.28", "-327.68"]),
    ("decimal of fixed", one(FIXED_DECIMAL), ["0.0000", "12.3000", "-0.0001", "9999999999999999.9999"]),
    ("timestamp-millis", one(MILLIS),
     [{"$date": "1970-01-01T00:00:00.000Z"}, {"$date": "2026-11-24T20:15:00.123Z"},
      {"$date": "1901-02-03T04:05:06.789Z"}, {"$date": "9999-12-31T23:59:59.999Z"}]),
    ("timestamp-micros", one(MICROS), [long(0), long(1790281234567891), long(-1), long(-62135596800000000)]),
    ("date", one(DATE), ["1970-01-01", "2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"]),
    ("uuid", one(UUID), ["0199b0c5-1234-7abc-8def-000000000001"]),
    ("nullable", one(["null", "string"]), [None, "here"]),
    ("nullable, null last", one(["string", "null"]), [None, "here"]),
    ("nullable long", one(["null", "long"]), [None, long(2**60 + 1)]),
    ("nullable decimal", one(["null", DECIMAL]), [None, "-7.50"]),
    ("nullable timestamp", one(["null", MILLIS]), [None, {"$date": "2026-11-24T20:15:00.123Z"}]),
    ("nullable record", one(["null", POINT]), [None, {"x": 1, "y": -2}]),
    ("union", one(WIDE),
     [None, {"string": "s"}, {"long": long(2**53 + 1)}, {"double": 0.5}, {"boolean": True}, {"bytes": {"$bytes": "01"}},
      {"vectors.Point": {"x": 3, "y": 4}}, {"array": [1, 2]}, {"map": {"k": "v"}}]),
    ("union with an enum", one([POINT, ENUM, "null"]), [{"vectors.E": "B"}, {"vectors.Point": {"x": 0, "y": 1}}, None]),
    ("array", one({"type": "array", "items": "long"}), [[], [long(1), long(-(2**63))], [long(i) for i in range(100)]]),
    ("map", one({"type": "map", "values": "int"}), [{}, {"a": 1}, {"ü": -5}]),
    ("nested", record([field("p", POINT), field("ps", {"type": "array", "items": "vectors.Point"}),
                       field("m", {"type": "map", "values": ["null", "vectors.Point"]})]),
     [{"p": {"x": 1, "y": 2}, "ps": [{"x": 3, "y": 4}, {"x": 5, "y": 6}], "m": {"a": None}}]),
    ("recursive", TREE, [{"v": 1, "children": [{"v": 2, "children": []}, {"v": 3, "children": [{"v": 4, "children": []}]}]}]),
]

A = field("a", "string")
RESOLVED = [
    ("defaults are filled", record([A]),
     record([A, field("i", "int", default=7), field("l", "long", default=-5), field("d", "double", default=0.5),
             field("s", "string", default="dflt"), field("n", ["null", "string"], default=None),
             field("b", "bytes", default="\u00ff\u0001"), field("e", ENUM, default="B"),
             field("arr", {"type": "array", "items": "int"}, default=[1, 2]),
             field("m", {"type": "map", "values": "int"}, default={"k": 1}),
             field("p", POINT, default={"x": 1, "y": 2})]), [{"a": "x"}]),
    ("unknown fields are skipped",
     record([field("u1", "long"), field("u2", {"type": "array", "items": "string"}), A, field("u3", POINT),
             field("u4", ["null", {"type": "map", "values": "double"}]), field("u5", DECIMAL)]),
     record([A]),
     [{"u1": long(2**60), "u2": ["p", "q"], "a": "kept", "u3": {"x": 1, "y": 2}, "u4": {"k": 1.5}, "u5": "1.00"}]),
    ("fields in another order", record([A, field("b", "int")]), record([field("b", "int"), A]), [{"a": "x", "b": 9}]),
    ("int read as long", one("int"), one("long"), [-3, 2147483647]),
    ("int read as double", one("int"), one("double"), [-3]),
    ("long read as double", one("long"), one("double"), [long(2**40)]),
    ("float read as double", one("float"), one("double"), [1.5]),
    ("int read as timestamp-millis", one("int"), one(MILLIS), [1000]),
    ("plain long read as timestamp-millis", one("long"), one(MILLIS), [long(1790281234567)]),
    ("timestamp-millis read as long", one(MILLIS), one("long"), [{"$date": "2026-11-24T20:15:00.123Z"}]),
    ("string read as nullable", one("string"), one(["null", "string"]), ["x"]),
    ("nullable read as wider nullable", one(["null", "int"]), one(["null", "long"]), [None, 5]),
    ("enum with a default reads an unknown symbol", one({**ENUM, "symbols": ["A", "B", "NEW"]}),
     one({**ENUM, "symbols": ["A", "B"], "default": "A"}), ["NEW", "B"]),
    ("string read as bytes", one("string"), one("bytes"), ["ab"]),
]


def full(schema, names):
    """The definition behind a reference."""
    return names.get(schema, schema) if isinstance(schema, str) else schema


def collect(schema, names):
    if isinstance(schema, list):
        for branch in schema:
            collect(branch, names)
    elif isinstance(schema, dict):
        if "name" in schema:
            names["vectors." + schema["name"]] = schema
        for part in [f["type"] for f in schema.get("fields", [])] + [schema.get("items"), schema.get("values")]:
            collect(part, names)
    return names


def branch_name(schema):
    if isinstance(schema, str):
        return schema
    return "vectors." + schema["name"] if "name" in schema else schema["type"]


def to_python(schema, value, names):
    schema = full(schema, names)
    if isinstance(schema, list):
        if value is None:
            return None
        if len(schema) == 2 and "null" in schema:
            return to_python(next(b for b in schema if b != "null"), value, names)
        (name, inner), = value.items()
        return to_python(next(b for b in schema if branch_name(b) == name), inner, names)
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    if logical == "decimal":
        return decimal.Decimal(value)
    if logical == "timestamp-millis":
        return datetime.datetime.fromisoformat(value["$date"])
    if logical == "timestamp-micros":
        return EPOCH + datetime.timedelta(microseconds=int(value["$long"]))
    if logical == "date":
        return datetime.date.fromisoformat(value)
    if kind == "record":
        return {f["name"]: to_python(f["type"], value[f["name"]], names) for f in schema["fields"]}
    if kind == "array":
        return [to_python(schema["items"], item, names) for item in value]
    if kind == "map":
        return {key: to_python(schema["values"], item, names) for key, item in value.items()}
    if kind in ("bytes", "fixed"):
        return bytes.fromhex(value["$bytes"])
    if kind == "long":
        return int(value["$long"])
    return float(value) if kind in ("float", "double") else value


def to_tagged(schema, value, names):
    """What fastavro read, in the forms of the header."""
    schema = full(schema, names)
    if isinstance(schema, list):
        return None if value is None else to_tagged(next(b for b in schema if b != "null"), value, names)
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = None if isinstance(schema, str) else schema.get("logicalType")
    if logical == "timestamp-millis":
        if not isinstance(value, datetime.datetime):
            value = EPOCH + datetime.timedelta(milliseconds=value)
        return {"$date": value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"}
    if kind == "record":
        return {f["name"]: to_tagged(f["type"], value[f["name"]], names) for f in schema["fields"]}
    if kind == "array":
        return [to_tagged(schema["items"], item, names) for item in value]
    if kind == "map":
        return {key: to_tagged(schema["values"], item, names) for key, item in value.items()}
    if kind in ("bytes", "fixed"):
        if isinstance(value, str):  # fastavro hands out a default of bytes as its JSON text: one character, one byte.
            value = value.encode("iso-8859-1")
        return {"$bytes": value.hex()}
    if kind == "long":
        if isinstance(value, datetime.datetime):
            value = round((value - EPOCH) / datetime.timedelta(milliseconds=1))
        return {"$long": str(value)}
    return value


def by_fastavro(schema, datum):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), datum)
    return out.getvalue().hex()


def by_apache(schema, datum):
    out = io.BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(datum, avro.io.BinaryEncoder(out))
    return out.getvalue().hex()


def read_by_apache(schema, encoded):
    parsed = avro.schema.parse(json.dumps(schema))
    return avro.io.DatumReader(parsed, parsed).read(avro.io.BinaryDecoder(io.BytesIO(bytes.fromhex(encoded))))


def vector(name, schema, value, reader=None):
    names = collect(schema, {})
    wrapped = value if isinstance(value, dict) and set(value) == {f["name"] for f in schema["fields"]} else {"v": value}
    datum = to_python(schema, wrapped, names)
    encoded = by_fastavro(schema, datum)
    if name == "union":  # Which branch a Python int or dict means is each library's own guess: only the bytes are judged.
        assert read_by_apache(schema, encoded) == datum, f"{name}: avro does not read {encoded}"
    else:
        apache = by_apache(schema, datum)
        assert encoded == apache, f"{name}: fastavro {encoded}, avro {apache}"
    out = {"name": name, "schema": schema, "value": wrapped, "hex": encoded}
    if reader is not None:
        parse = lambda s: fastavro.parse_schema(json.loads(json.dumps(s)))
        read = fastavro.schemaless_reader(io.BytesIO(bytes.fromhex(encoded)), parse(schema), parse(reader))
        out["reader"] = reader
        out["read"] = to_tagged(reader, read, collect(reader, {}))
    return out


def main():
    vectors = [vector(name, schema, value) for name, schema, values in SAME for value in values]
    vectors += [vector(name, writer, value, reader) for name, writer, reader, values in RESOLVED for value in values]
    by = {package: version(package) for package in ("avro", "fastavro")}
    target = pathlib.Path(__file__).with_name("vectors.json")
    lines = ",\n".join("    " + json.dumps(v) for v in vectors)
    target.write_text(f'{{\n  "madeBy": {json.dumps(by)},\n  "vectors": [\n{lines}\n  ]\n}}\n')
    print(f"{len(vectors)} vectors by {by}")


main()
