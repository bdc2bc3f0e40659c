"""The calls of hourglass_kernels.h with what arrays.txt says of their arrays."""
import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "Sources/HourglassKernels"
ELEMENTS = ("float", "uint8_t", "int32_t", "uint32_t")


@dataclass
class Argument:
    name: str
    kind: str  # int, float, bool, activation, parallel, struct, array
    type: str = ""  # of a struct or of the elements of an array
    out: bool = False
    axes: str = ""
    optional: bool = False
    aliases: tuple = ()


@dataclass
class Call:
    name: str
    answer: str  # refusal, count (-1 is a refusal), int, float
    arguments: list
    comment: str
    check: str = ""

    @property
    def arrays(self):
        return [a for a in self.arguments if a.kind == "array"]

    @property
    def struct(self):
        return next((a for a in self.arguments if a.kind == "struct"), None)


@dataclass
class Library:
    calls: dict = field(default_factory=dict)
    structs: dict = field(default_factory=dict)  # name: [(field, C type, extent)], of structs that begin with their size
    elements: list = field(default_factory=list)  # structs that are elements of arrays
    enums: dict = field(default_factory=dict)  # name: [(enumerator, value)]
    letters: dict = field(default_factory=dict)  # struct: {letter: expression of fields}
    images: dict = field(default_factory=dict)  # struct: {axes: the image, as its fields begin}
    by_hand: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    references: list = field(default_factory=list)


def _plain(text):
    """A C comment without its stars, with the names that calls have in the bindings."""
    lines = [re.sub(r"^ ?\*? ?", "", line, count=1) if n else line for n, line in enumerate(text.strip().splitlines())]
    return re.sub(r"\bhg_(?=\w+)", "", "\n".join(line.rstrip() for line in lines))


def _arguments(text, library):
    out = []
    for part in re.split(r",\s*", " ".join(text.split())):
        const, type, star, name = re.fullmatch(r"(const )?(\w+) (\*?)(\w+)", part).groups()
        name = {"in": "in_"}.get(name, name)
        if type == "hg_parallel":
            out.append(Argument("parallel", "parallel"))
        elif star and type in library.structs:
            out.append(Argument(name, "struct", type))
        elif star:
            if type not in ELEMENTS and type not in library.elements:
                raise SystemExit(f"bindings: no binding knows {part}")
            out.append(Argument(name, "array", type, out=not const))
        else:
            kind = {"ptrdiff_t": "int", "float": "float", "bool": "bool", "hg_activation": "activation"}[type]
            out.append(Argument(name, kind))
    return out


def image(library, call, argument):
    """The image of the call's struct that an array is, if it is one."""
    images = library.images.get(call.struct.type, {}) if call.struct else {}
    return images.get(argument.axes) if argument.type == "float" else None


def _read_table(library):
    """Fills in axes, checks, letters, and what is bound by hand or left out."""
    arrays, check, left_out = {}, "", False
    for line in (HERE / "arrays.txt").read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "letters":
            library.letters[words[1]] = dict(word.split("=", 1) for word in words[2:])
        elif words[0] == "images":
            library.images[words[1]] = dict(word.split("=") for word in words[2:])
        elif words[:2] == ["by", "hand"]:
            library.by_hand += words[2:]
        elif words[:2] == ["left", "out:"]:
            left_out = True
        elif left_out:
            library.left_out += words
        elif words[0] == "check":
            check = "" if words[1] == "-" else words[1]
        else:
            arrays[words[0].rstrip(":")] = check, words[1:]
    return arrays


def _fill(call, entry):
    call.check, words = entry
    found = {}
    for word in words:
        name, axes, optional, aliases = re.fullmatch(r"(\w+)\[(.*)\](\??)(?:~([\w,]+))?", word).groups()
        found[{"in": "in_"}.get(name, name)] = axes, bool(optional), tuple(aliases.split(",")) if aliases else ()
    for argument in call.arrays:
        if argument.name == "scratch" and "scratch" not in found:
            found["scratch"] = f"{call.name}_scratch", False, ()
        if argument.name not in found:
            raise SystemExit(f"bindings: arrays.txt does not say how long {argument.name} of {call.name} is")
        argument.axes, argument.optional, argument.aliases = found.pop(argument.name)
    if found:
        raise SystemExit(f"bindings: {call.name} has no array {', '.join(found)}")


def read():
    library = Library()
    text = (KERNELS / "include/hourglass_kernels.h").read_text()
    bare = re.sub(r"/\*[\s\S]*?\*/", "", text)
    for name, body in re.findall(r"typedef struct (hg_\w+) \{(.*?)\} \1;", bare, re.S):
        fields = []
        for type, names in re.findall(r"(?:const )?(\w+) ([^;()]+);", body):
            for each in names.split(","):
                star, each, extent = re.fullmatch(r"\s*(\*?)(\w+)(?:\[(\w+)\])?\s*", each).groups()
                fields.append((each, type + star, extent))
        if name == "hg_parallel":
            continue
        if fields[0][0] == "size":
            library.structs[name] = fields
        else:
            library.elements.append(name)
    for name, body in re.findall(r"typedef enum (hg_\w+) \{(.*?)\} \1;", bare, re.S):
        library.enums[name] = re.findall(r"(\w+) = (\d+)", body)
    arrays = _read_table(library)
    comment = ""
    for block in re.split(r"\n\n|\n(?=/\*)", text):
        if match := re.match(r"\s*/\*(?! -)([\s\S]*?)\*/", block):
            comment = _plain(match[1])
            block = block[match.end():]
        for answer, name, arguments in re.findall(r"^(const char \*|ptrdiff_t |double )hg_(\w+)\(([^;]*)\);", block, re.M):
            if name in library.by_hand + library.left_out:
                continue
            kind = {"const char *": "refusal", "ptrdiff_t ": "int", "double ": "float"}[answer]
            if kind == "int" and re.search(r"_(count|scratch)$", name):
                kind = "count"
            library.calls[name] = Call(name, kind, _arguments(arguments, library), comment)
    for name, call in library.calls.items():
        if call.arrays or name in arrays:
            if name not in arrays:
                raise SystemExit(f"bindings: arrays.txt does not know {name}")
            _fill(call, arrays.pop(name))
        elif call.answer == "count":  # is refused where the calls are whose arrays it counts
            check = library.calls.get(re.match(r"(?:ms_)?([a-z]+\d*d?)_", name)[1] + "_check")
            if check and {a.name for a in check.arguments} <= {a.name for a in call.arguments}:
                call.check = check.name
    if arrays:
        raise SystemExit(f"bindings: arrays.txt has {', '.join(arrays)}, which the header has not")
    text = re.sub(r"/\*[\s\S]*?\*/", "", (KERNELS / "include/hourglass_reference.h").read_text())
    for answer, name, arguments in re.findall(r"^(void|ptrdiff_t|double) hg_reference_(\w+)\(([^;]*)\);", text, re.M):
        kind = {"void": "nothing", "ptrdiff_t": "int", "double": "float"}[answer]
        library.references.append(Call(name, kind, _arguments(arguments, library), ""))
    return library


def missing(library, by_hand):
    """Calls of ops.def that no binding has, and those that `by hand` names and a file has not."""
    table = (KERNELS / "ops.def").read_text()
    listed = set(re.findall(r"^HG_(?:(?:OPERATION|CALL)\(|LOOP_CALL\(\w+, )(\w+)", table, re.M))
    known = {*library.calls, *library.by_hand, *library.left_out}
    out = [f"{name} is in ops.def and in no binding" for name in sorted(listed - known)]
    out += [f"{name} is in arrays.txt and not in ops.def" for name in sorted(known - listed)]
    for file, pattern in by_hand.items():
        text = file.read_text()
        out += [f"{file.name} lacks {name}" for name in library.by_hand if not re.search(pattern.format(name), text, re.M)]
    return out
