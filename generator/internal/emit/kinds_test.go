package emit_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// shelf makes types by hand, with the declarations that each needs.
type shelf struct {
	types []*ir.Named
	names map[string]int
}

func (s *shelf) name(base string) string {
	s.names[base]++
	return fmt.Sprintf("%s%d", base, s.names[base])
}

// declare adds a type with its own name.
func (s *shelf) declare(base string, n *ir.Named) *ir.Named {
	n.Name = s.name(base)
	n.Place = "made.yaml#/$defs/" + n.Name
	n.PlacesVar = strings.ToLower(n.Name) + "Places"
	if len(n.Enum) == 0 && n.Union == nil && n.Of == nil && n.Holds == nil {
		if n.Extra == nil && !n.Closed {
			n.UnknownName = "Unknown"
		}
	}
	s.types = append(s.types, n)
	return n
}

func (s *shelf) pattern() *ir.Pattern {
	return &ir.Pattern{Var: strings.ToLower(s.name("Pattern")), Source: "^[a-z]+$"}
}

// rules returns a set of rules that is not empty.
func (s *shelf) rules() *ir.Rules {
	word := ir.Word{Keyword: "not", Value: &ir.Rule{Place: "made.yaml#/not", Words: []ir.Word{{Keyword: "required", Value: []string{"x"}}}}}
	return &ir.Rules{Var: strings.ToLower(s.name("Rules")), Rules: []*ir.Rule{{Place: "made.yaml#", Words: []ir.Word{word}}}}
}

func (s *shelf) enum(base ir.Kind, literals ...string) *ir.Named {
	n := s.declare("Enum", &ir.Named{Base: base})
	for i, literal := range literals {
		n.Enum = append(n.Enum, ir.EnumValue{Name: fmt.Sprintf("%sValue%d", n.Name, i), Literal: literal})
	}
	return n
}

func (s *shelf) structure(of *ir.Type) *ir.Named {
	return s.declare("Struct", &ir.Named{Fields: []*ir.Field{{JSON: "a", Name: "A", Required: true, Type: of}}})
}

// union returns a union of a type and a boolean, which can be distinguished.
func (s *shelf) union(of *ir.Type) *ir.Named {
	n := s.declare("Union", &ir.Named{})
	n.Union = &ir.Union{Keyword: "oneOf", Unknown: "Unknown" + n.Name}
	branch := func(t *ir.Type, json string) {
		t.Nullable = t.Kind == ir.Any // null is apart from the branches
		b := &ir.Branch{Type: t, JSON: json}
		if b.Named = t.Named; b.Named == nil {
			b.Named = s.declare("Branch", &ir.Named{Of: t})
		}
		b.Named.Unions = append(b.Named.Unions, n)
		n.Union.Branches = append(n.Union.Branches, b)
	}
	branch(of, "string")
	branch(&ir.Type{Kind: ir.Bool}, "boolean")
	return n
}

func (s *shelf) rawUnion(of *ir.Type) *ir.Named {
	n := s.declare("Raw", &ir.Named{})
	n.Union = &ir.Union{Keyword: "anyOf", Raw: true, Branches: []*ir.Branch{
		{Type: of, Name: "First"}, {Type: &ir.Type{Kind: ir.String}, Name: "Second"},
	}}
	return n
}

// madeTypes are types of every kind, with and without something to check.
func madeTypes() map[string]func(s *shelf) *ir.Type {
	one := 1
	zero := 0
	text := func(*shelf) *ir.Type { return &ir.Type{Kind: ir.String, MinLength: &one} }
	all := map[string]func(s *shelf) *ir.Type{
		"text":         text,
		"vacuous text": func(*shelf) *ir.Type { return &ir.Type{Kind: ir.String, MinLength: &zero} },
		"pattern": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.String, MaxLength: &one, Pattern: s.pattern(), Format: "email"}
		},
		"constant": func(*shelf) *ir.Type {
			return &ir.Type{Kind: ir.String, Const: &schema.Value{Kind: schema.String, Text: "x"}}
		},
		"bounded int": func(*shelf) *ir.Type {
			return &ir.Type{Kind: ir.Int, Minimum: "1", ExclusiveMaximum: "9", MultipleOf: "2"}
		},
		"bounded uint": func(*shelf) *ir.Type { return &ir.Type{Kind: ir.Uint, Maximum: "9", MultipleOf: "2"} },
		"bounded float": func(*shelf) *ir.Type {
			return &ir.Type{Kind: ir.Float, Maximum: "9.5", ExclusiveMinimum: "0", MultipleOf: "0.5"}
		},
		"texts": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Slice, Elem: text(s), MinItems: &one, MaxItems: &one, UniqueItems: true}
		},
		"vacuous list": func(*shelf) *ir.Type {
			return &ir.Type{Kind: ir.Slice, MinItems: &zero, Elem: &ir.Type{Kind: ir.String, MinLength: &zero}}
		},
		"lists of texts": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Slice, UniqueItems: true, Elem: &ir.Type{Kind: ir.Slice, Elem: text(s)}}
		},
		"closed map": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Map, Keys: s.pattern(), Elem: &ir.Type{Kind: ir.String}}
		},
		"closed map of texts": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Map, Keys: s.pattern(), Elem: text(s), MinProperties: &one, MaxProperties: &one}
		},
		"map of structs": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Map, Elem: &ir.Type{Kind: ir.Struct, Named: s.structure(text(s)), Nullable: true}}
		},
		"checked struct": func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Struct, Named: s.structure(text(s))} },
		"struct": func(s *shelf) *ir.Type {
			return &ir.Type{Kind: ir.Struct, Named: s.structure(&ir.Type{Kind: ir.String})}
		},
		"ruled struct": func(s *shelf) *ir.Type {
			n := s.structure(&ir.Type{Kind: ir.String})
			n.Rules, n.MinProperties = s.rules(), &one
			return &ir.Type{Kind: ir.Struct, Named: n}
		},
		"text enum":  func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Enum, Named: s.enum(ir.String, `"a"`, `"b"`)} },
		"int enum":   func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Enum, Named: s.enum(ir.Int, "1", "2")} },
		"float enum": func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Enum, Named: s.enum(ir.Float, "1.5")} },
		"JSON enum":  func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Enum, Named: s.enum(ir.JSON, `"null"`, `"[1]"`)} },
		"open enum": func(s *shelf) *ir.Type {
			n := s.enum(ir.String, `"a"`)
			n.Open = &ir.Type{Kind: ir.String, MinLength: &one, Rules: s.rules()}
			return &ir.Type{Kind: ir.Enum, Named: n}
		},
		"union":     func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.UnionKind, Named: s.union(text(s))} },
		"raw union": func(s *shelf) *ir.Type { return &ir.Type{Kind: ir.Struct, Named: s.rawUnion(text(s))} },
		"collection": func(s *shelf) *ir.Type {
			n := s.declare("Tree", &ir.Named{})
			n.Of = &ir.Type{Kind: ir.Map, Keys: s.pattern(), Elem: &ir.Type{Kind: ir.Collection, Named: n}}
			return &ir.Type{Kind: ir.Collection, Named: n}
		},
		"external": func(*shelf) *ir.Type { return &ir.Type{Kind: ir.External, Import: "net/netip", Name: "Addr"} },
	}
	for kind, name := range map[ir.Kind]string{
		ir.Any: "any", ir.Bool: "bool", ir.Int: "int", ir.Float: "float", ir.DateTime: "time", ir.Date: "date",
		ir.TimeOfDay: "time of day", ir.Duration: "duration", ir.UUID: "uuid", ir.Bytes: "base64", ir.Base64URL: "base64url",
		ir.Base32: "base32", ir.Base16: "base16", ir.Object: "object", ir.Null: "null", ir.Uint: "uint", ir.BigInt: "big integer",
		ir.Number: "number",
	} {
		all[name] = func(*shelf) *ir.Type { return &ir.Type{Kind: kind, Nullable: kind == ir.Any} }
	}
	return all
}

// standings returns the places where a type may be used.
func standings() map[string]func(s *shelf, t *ir.Type) {
	field := func(required bool) func(s *shelf, t *ir.Type) {
		return func(s *shelf, t *ir.Type) {
			s.structure(t).Fields[0].Required = required
		}
	}
	inside := func(kind ir.Kind) func(s *shelf, t *ir.Type) {
		return func(s *shelf, t *ir.Type) { s.structure(&ir.Type{Kind: kind, Elem: t}) }
	}
	return map[string]func(s *shelf, t *ir.Type){
		"required": field(true),
		"optional": field(false),
		"item":     inside(ir.Slice),
		"value":    inside(ir.Map),
		"item of an item": func(s *shelf, t *ir.Type) {
			s.structure(&ir.Type{Kind: ir.Slice, Elem: &ir.Type{Kind: ir.Slice, Elem: t}})
		},
		"value of a value": func(s *shelf, t *ir.Type) {
			s.structure(&ir.Type{Kind: ir.Map, Keys: s.pattern(), Elem: &ir.Type{Kind: ir.Map, Keys: s.pattern(), Elem: t}})
		},
		"other member": func(s *shelf, t *ir.Type) {
			n := s.structure(&ir.Type{Kind: ir.String})
			n.UnknownName, n.Extra, n.ExtraName = "", t, "Extra"
		},
		"matching member": func(s *shelf, t *ir.Type) {
			s.structure(&ir.Type{Kind: ir.String}).Matching = []*ir.Matching{{Name: "Matching", Pattern: s.pattern(), Source: "^[a-z]+$", Type: t}}
		},
		"branch": func(s *shelf, t *ir.Type) {
			if t.Kind != ir.UnionKind { // whose branches would be branches here
				s.structure(&ir.Type{Kind: ir.UnionKind, Named: s.union(t)})
			}
		},
		"raw branch": func(s *shelf, t *ir.Type) { s.structure(&ir.Type{Kind: ir.Struct, Named: s.rawUnion(t)}) },
		"position": func(s *shelf, t *ir.Type) {
			s.declare("Tuple", &ir.Named{Tuple: true, Fields: []*ir.Field{{JSON: "0", Name: "First", Type: t, Required: true}}})
		},
		"optional position": func(s *shelf, t *ir.Type) {
			s.declare("Tuple", &ir.Named{Tuple: true, Closed: true, Fields: []*ir.Field{{JSON: "0", Name: "First", Type: t}}})
		},
		"rest": func(s *shelf, t *ir.Type) {
			n := s.declare("Tuple", &ir.Named{Tuple: true, Extra: t, ExtraName: "Rest"})
			n.Fields = []*ir.Field{{JSON: "0", Name: "First", Type: &ir.Type{Kind: ir.String}, Required: true}}
		},
		"whole": func(s *shelf, t *ir.Type) { s.declare("Whole", &ir.Named{Holds: t}) },
		"collection": func(s *shelf, t *ir.Type) {
			n := s.declare("List", &ir.Named{Of: &ir.Type{Kind: ir.Slice, Elem: t}})
			s.structure(&ir.Type{Kind: ir.Collection, Named: n})
		},
	}
}

// Every kind of type compiles in every place: as it is, nullable, and with rules.
func TestEveryKindInEveryPlace(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it type-checks hundreds of packages")
	}
	s := &shelf{names: map[string]int{}}
	for _, stand := range standings() {
		for _, made := range madeTypes() {
			for _, nullable := range []bool{false, true} {
				for _, ruled := range []bool{false, true} {
					use := made(s)
					use.Nullable = use.Nullable || nullable
					if ruled {
						use.Rules = s.rules()
					}
					stand(s, use)
				}
			}
		}
	}
	for _, pointers := range []bool{false, true} {
		t.Run(fmt.Sprintf("pointers%t", pointers), func(t *testing.T) {
			pkg := &ir.Package{Name: "kinds", Service: "kinds", File: "events.go", Files: []*ir.File{{Name: "made.go", Source: "made.yaml", Types: s.types}}}
			files, err := emit.Print(pkg, "example.com/events/outboxdb", pointers)
			if err != nil {
				text := err.Error()
				t.Fatal(text[:min(len(text), 1000)])
			}
			typeCheck(t, files)
		})
	}
}

// typeCheck type-checks a generated package, without the file that belongs to the whole
// package. It needs a fraction of the compiler's time.
func typeCheck(t *testing.T, files []emit.File) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "github.com/outboxgen/outboxgen/runtime/wire", "github.com/outboxgen/outboxgen/runtime", "net/netip")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[path] = file
		}
	}
	set := token.NewFileSet()
	config := types.Config{
		Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }),
		Error:    func(err error) { t.Error(err) },
	}
	var parsed []*ast.File
	for _, f := range files {
		source := string(f.Content)
		if f.Path == "events.go" {
			_, helpers, found := strings.Cut(source, "Many: outboxdb.InsertEvents}\n")
			if !found {
				t.Fatal("the package's file has another end")
			}
			source = "package kinds\n\nimport (\noutbox \"" + module + "/runtime\"\n\"" + module + "/runtime/wire\"\n)\n\nvar _ outbox.Header\n" + helpers
		}
		file, err := parser.ParseFile(set, f.Path, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	_, _ = config.Check("kinds", set, parsed, nil) // its error is the first of those above
}
