package emit_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A golden package has a field of any type only if its schema allows no better type.
// Each such field is listed here, with what the schema says.
func TestAnyOnlyWhereTheSchemaSaysNoMore(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(root, "testdata/golden/*/events/*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no golden packages", err)
	}
	var got []string
	for _, path := range paths {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Base(filepath.Dir(filepath.Dir(path)))
		note := func(name string, of ast.Expr) {
			if !untyped(of) || strings.HasPrefix(name, "Unknown") && !strings.Contains(name, ".") {
				return // the second is the value of a union that fits none of its branches
			}
			var text strings.Builder
			if err := printer.Fprint(&text, set, of); err != nil {
				t.Fatal(err)
			}
			got = append(got, golden+" "+name+" "+text.String())
		}
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok || general.Tok != token.TYPE {
				continue
			}
			for _, spec := range general.Specs {
				spec := spec.(*ast.TypeSpec)
				switch of := spec.Type.(type) {
				case *ast.StructType:
					for _, field := range of.Fields.List {
						for _, name := range field.Names {
							note(spec.Name.Name+"."+name.Name, field.Type)
						}
					}
				default:
					note(spec.Name.Name, of)
				}
			}
		}
	}
	slices.Sort(got)
	var want []string
	for _, group := range untypedFields {
		want = append(want, group.fields...)
		if group.reason == "" {
			t.Errorf("no reason for %q", group.fields)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of any type (-listed +generated):\n%s", diff)
	}
}

// untyped reports whether a type holds any or raw JSON.
func untyped(of ast.Expr) bool {
	found := false
	ast.Inspect(of, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			found = found || n.Name == "any" || n.Name == "RawMessage"
		case *ast.FuncType, *ast.InterfaceType:
			return false
		}
		return true
	})
	return found
}

// untypedFields are the fields that may have any value, by what their schemas say.
var untypedFields = []struct {
	reason string
	fields []string
}{
	{"nothing: true, {}, or a description only", []string{
		"pointers PresenceV1.Any any", "pointers PresenceV1.OptAny any", "presence PresenceV1.Any any", "presence PresenceV1.OptAny outbox.Nullable[any]",
		"roots AnythingV1.Value any", "shapes AnythingRequiredV1.Value any", "shapes AnythingV1.Value outbox.Nullable[any]",
		"tools CartAbandonedV1.Extra outbox.Nullable[any]", "tools PaymentCapturedV1.Raw outbox.Nullable[any]",
	}},
	{"required, and described nowhere, with a warning", []string{"shapes UndescribedRequiredV1Value.Name any"}},
	{"only what it is not", []string{"conditions ShipmentChangedV1.Anything outbox.Nullable[any]", "roots NotTextV1.Value any", "shapes NotATypeV1.Value outbox.Nullable[any]"}},
	{"an object, or besides only its names or how many members it has", []string{
		"conditions ShipmentChangedV1.Attributes map[string]any", "defaults DefaultsV1.Free map[string]any",
		"huleedu AssessmentResultV1.AssessmentMetadata map[string]any", "huleedu SystemMetadata.ErrorInfo map[string]any",
		"pointers PresenceV1.Free map[string]any", "pointers PresenceV1.OptFree map[string]any",
		"presence PresenceV1.Free map[string]any", "presence PresenceV1.OptFree map[string]any",
		"shapes DefaultObjectV1.Free map[string]any", "shapes FreeObjectV1.Value map[string]any",
		"tools AccountOpenedV1.Settings map[string]any", "tools OrderDeliveredV1.ByCode map[string]any",
		"unions MixedV1DataObject map[string]any", "unions MixedV1RuledObject map[string]any", "unions MixedV1ValueObject map[string]any",
	}},
	{"an array, or one that is always empty", []string{"shapes ListOfAnythingV1.Value []any", "tuples TuplesV1.Nothing []any"}},
	{"an array whose items are of one type or another, by what contains describes", []string{"conditions ClosedChangedV1.Flagged []any"}},
	{"nothing of the items behind the positions of a tuple", []string{
		"asyncapi GoldenPricedV1.Rest []json.RawMessage", "forgotten ForgottenV1Position.Rest []json.RawMessage", "roots DeepV1Item.Rest []json.RawMessage", "roots Delete.Rest []json.RawMessage", "roots Insert.Rest []json.RawMessage",
		"shapes OpenTupleV1Value.Rest []json.RawMessage", "tools CartPricedV1Pair.Rest []json.RawMessage",
		"tuples OlderTuplesV1Open.Rest []json.RawMessage", "tuples TuplesV1Open.Rest []json.RawMessage",
		"shapes UnevaluatedOfTuplesV1ValueList.Rest []json.RawMessage", "shapes UnevaluatedOfTuplesV1ValueListType.Rest []json.RawMessage",
	}},
	{"branches that cannot be told apart, with a warning and a method for each", []string{
		"eventunions ContactGivenV1.Raw json.RawMessage", "forgotten ForgottenV1Raw.Raw json.RawMessage", "roots MessagesV1Value.Raw json.RawMessage", "shapes ExactlyOneOfV1Value.Raw json.RawMessage", "shapes OverlappingUnionV1Value.Raw json.RawMessage", "shapes UnevaluatedOfTuplesV1Value.Raw json.RawMessage",
		"unions MixedV1Strict.Raw json.RawMessage", "unions PaymentV1Contact.Raw json.RawMessage", "unions PaymentV1ContactsItem.Raw json.RawMessage",
		"unions PaymentV1Exactly.Raw json.RawMessage", "nested NestedV1Loose.Raw json.RawMessage", "nested Reachable.Raw json.RawMessage",
	}},
}
