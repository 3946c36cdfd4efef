package golden_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wire"
	roots "github.com/outboxgen/outboxgen/testdata/golden/roots/events"
)

// Event data of any JSON type agrees with an independent validator on documents and
// their mutations. Valid documents are decoded and encoded without a change.
func TestRootsAgreeWithAValidator(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root, "testdata/golden/roots")
	compiled := validators(t, dir)
	for name, test := range map[string]struct {
		verdict   func([]byte) error
		trip      func(*testing.T, []byte)
		excused   string
		documents []string
	}{
		"anything":       {verdict[roots.AnythingV1], trips[roots.AnythingV1], "", []string{`{"a":[1,null]}`, `"x"`}},
		"branch_or_null": {verdict[roots.BranchOrNullV1], trips[roots.BranchOrNullV1], "must be an object, is null", []string{`{"id":"a","more":1}`}},
		"change":         {verdict[roots.ChangeV1], trips[roots.ChangeV1], "", []string{`[2,"insert",{"id":7,"name":"n"},"a","b"]`, `[2,"delete",{"id":7}]`}},
		"code":           {verdict[roots.CodeV1], trips[roots.CodeV1], "", []string{`"abc"`, `"ab"`, `"abcdefg"`, `"a1c"`}},
		"count":          {verdict[roots.CountV1], trips[roots.CountV1], "", []string{`18446744073709551615`, `-1`, `18446744073709551616`}},
		"fixed":          {verdict[roots.FixedV1], trips[roots.FixedV1], "", []string{`"ping"`, `"pong"`}},
		"flag":           {verdict[roots.FlagV1], trips[roots.FlagV1], "", []string{`true`}},
		"huge":           {verdict[roots.HugeV1], trips[roots.HugeV1], "", []string{`100000000000000000000`, `100000000000000000005`, `99999999999999999999`}},
		"labels":         {verdict[roots.LabelsV1], trips[roots.LabelsV1], "", []string{`{"a":"b","c":"def"}`, `{"A":"b"}`}},
		"level":          {verdict[roots.LevelV1], trips[roots.LevelV1], "", []string{`"low"`, `"medium"`}},
		"lines":          {verdict[roots.LinesV1], trips[roots.LinesV1], "", []string{`[{"order_id":"ab","quantity":null},{"order_id":"cd","quantity":2,"more":[]}]`}},
		"listed":         {verdict[roots.ListedV1], trips[roots.ListedV1], "", []string{`{"a":1}`, `{"a":3}`}},
		"many":           {verdict[roots.ManyV1], trips[roots.ManyV1], "", []string{`{"items":[{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e12"}],"labels":{"tenant":"t"},"grid":[[1,null]]}`}},
		"maybe_count":    {verdict[roots.MaybeCountV1], trips[roots.MaybeCountV1], "", []string{`10`, `null`, `7`}},
		"maybe_list":     {verdict[roots.MaybeListV1], trips[roots.MaybeListV1], "", []string{`[[{"x":1}],[]]`, `null`}},
		"maybe_pair":     {verdict[roots.MaybePairV1], trips[roots.MaybePairV1], "", []string{`["a",true]`, `["a"]`, `null`}},
		"mixed":          {verdict[roots.MixedV1], trips[roots.MixedV1], "", []string{`null`, `"abcd"`, `[1]`, `{"id":"a"}`, `"abcde"`}},
		"moment":         {verdict[roots.MomentV1], trips[roots.MomentV1], "", []string{`"2024-01-01T00:00:00Z"`, `null`}},
		"not_text":       {verdict[roots.NotTextV1], trips[roots.NotTextV1], "", []string{`[1]`, `null`}},
		"deep":           {verdict[roots.DeepV1], trips[roots.DeepV1], "", []string{`[[["3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"],[null]],null]`, `[[["3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"]]]`}},
		"list_or_obj":    {verdict[roots.ListOrObjV1], trips[roots.ListOrObjV1], "", []string{`["a"]`, `{"0":1}`}},
		"messages":       {verdict[roots.MessagesV1], trips[roots.MessagesV1], "", []string{`["i",{"id":"a"}]`, `["d",{"id":1},2]`, `null`, `["x",{"id":1}]`}},
		"nothing":        {verdict[roots.NothingV1], trips[roots.NothingV1], "", []string{`null`}},
		"prices":         {verdict[roots.PricesV1], trips[roots.PricesV1], "", []string{`{"a":1.5,"b":2}`}},
		"readings":       {verdict[roots.ReadingsV1], trips[roots.ReadingsV1], "", []string{`[null,12.5]`, `[1]`}},
		"session":        {verdict[roots.SessionV1], trips[roots.SessionV1], "", []string{`"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"`, `"3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"`}},
		"setting":        {verdict[roots.SettingV1], trips[roots.SettingV1], "", []string{`null`, `1`, `"a"`, `{"b":[1]}`, `{"b":[2]}`}},
		"several":        {verdict[roots.SeveralV1], trips[roots.SeveralV1], "", []string{`"ab"`, `7`, `6`}},
		"shared":         {verdict[roots.SharedV1], trips[roots.SharedV1], "", []string{`{"a":"bc"}`}},
		"thing_or_null":  {verdict[roots.ThingOrNullV1], trips[roots.ThingOrNullV1], "must be an object, is null", []string{`{"a":"b","next":{"a":"c","next":null}}`}},
		"tree":           {verdict[roots.TreeV1], trips[roots.TreeV1], "", []string{`[[],[[]]]`, `[[],[],[]]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			validator := compiled("schemas/" + name + ".yaml")
			valid := 0
			for _, text := range test.documents {
				whole := document(t, []byte(text))
				_, v := agree(t, dir, validator, test.verdict, whole, test.excused)
				valid += v
				exact, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				if validator.Validate(exact) == nil {
					test.trip(t, []byte(text))
				}
			}
			if valid == 0 {
				t.Error("no document was valid")
			}
		})
	}
}

func trips[T data](t *testing.T, input []byte) {
	t.Helper()
	roundTrip[T](t, input)
}

// Violations of event data that is not an object are at the root, or at an item below
// it.
func TestRootsViolations(t *testing.T) {
	t.Parallel()
	expect[roots.CodeV1](t, `"A"`, []string{" minLength", " pattern"})
	expect[roots.LinesV1](t, `[{"order_id":"a"},{"order_id":"b","quantity":0},{"order_id":"ok"},{"order_id":"ok"}]`,
		[]string{" maxItems", " uniqueItems", "/0/order_id minLength", "/1/order_id minLength", "/1/quantity minimum"})
	expectDecodeError[roots.ChangeV1](t, `[2,"insert"]`, " minItems")
	expectDecodeError[roots.ThingOrNullV1](t, `null`, " type")
	expectDecodeError[roots.CountV1](t, `"1"`, " type")
}

// A pointer leads to an item by its index, to a member of a map, and to the whole
// value. One without a target is an error of the insert.
func TestRootsPointers(t *testing.T) {
	t.Parallel()
	id, rowID := uuid.New(), uuid.New()
	many := roots.ManyV1{Items: []roots.ManyV1Item{{ID: rowID}, {ID: id}}, Labels: map[string]string{"tenant": "t"}, Grid: [][]*int64{{nil, new(int64(5))}}}
	inserted, err := roots.MessagesV1ValueFromInsert(roots.Insert{First: "i", Second: roots.InsertSecond{ID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	type line struct{ Aggregate, Key, Correlation string }
	for name, test := range map[string]struct {
		event outbox.Event
		want  line
		err   string
	}{
		"items":         {many, line{id.String(), "5", "t"}, ""},
		"too few items": {roots.ManyV1{Items: []roots.ManyV1Item{{ID: rowID}, {ID: id}}, Grid: [][]*int64{{nil}}}, line{}, "there is no value at /grid/0/1"},
		"a null item":   {roots.ManyV1{Items: []roots.ManyV1Item{{ID: rowID}, {ID: id}}, Grid: [][]*int64{{nil, nil}}}, line{}, "there is no value at /grid/0/1"},
		"a tuple":       {roots.NewChangeV1(roots.ChangeV1{Operation: roots.OperationInsert, Row: roots.Row{ID: 7}}), line{"7", "7", ""}, ""},
		"a string":      {roots.CodeV1{Value: "abc"}, line{"abc", "abc", "abc"}, ""},
		"a uuid":        {roots.SessionV1{Value: id}, line{id.String(), id.String(), ""}, ""},
		"a number":      {roots.CountV1{Value: 1<<64 - 1}, line{"18446744073709551615", "18446744073709551615", ""}, ""},
		"an enum":       {roots.LevelV1{Value: roots.LevelV1ValueLow}, line{"low", "low", ""}, ""},
		"a definition":  {roots.GradedV1{Value: roots.GradeGood}, line{"good", "good", ""}, ""},
		"shared":        {roots.RegradedV1{Value: roots.GradeBad}, line{"bad", "bad", ""}, ""},
		"no message":    {roots.MessagesV1{}, line{}, "there is no value at /1/id"},
		"a raw message": {roots.MessagesV1{Value: &inserted}, line{"a", "a", ""}, ""},
		"no list":       {roots.DeepV1{Value: [][]roots.DeepV1Item{nil}}, line{}, "there is no value at /0/0/0"},
		"an empty list": {roots.ListOrObjV1{Value: roots.ListOrObjV1List{}}, line{}, "there is no value at /0"},
		"one branch":    {roots.SeveralV1{Value: roots.SeveralV1Text("name")}, line{"name", "name", ""}, ""},
		"another":       {roots.SeveralV1{Value: roots.SeveralV1Integer(9)}, line{"9", "9", ""}, ""},
	} {
		row, err := test.event.NewRow(t.Context(), outbox.WithID(rowID))
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, want %q", name, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := line{Aggregate: row.AggregateID}
		if row.Key != nil {
			got.Key = *row.Key
		}
		var headers map[string]string
		if err := json.Unmarshal(row.Headers, &headers); err != nil {
			t.Fatal(err)
		}
		if got.Correlation = headers["trace_id"]; got.Correlation == row.ID.String() {
			got.Correlation = "" // because there is no other
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := wire.NoValue(""); err.Error() != "the event data has no value" {
		t.Error(err)
	}
}

// Event data that is not an object can be inserted with every envelope, and the handler
// gets what was inserted.
func TestRootsInsertedAndHandled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn := services.Postgres(t).Connect(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		t.Fatal(err)
	}
	change := roots.NewChangeV1(roots.ChangeV1{Operation: roots.OperationUpdate, Row: roots.Row{ID: 7}, Rest: []string{"more"}})
	lines := roots.LinesV1{Value: []roots.LinesV1Item{{OrderID: "o1"}, {OrderID: "o2"}}}
	code := roots.CodeV1{Value: "abc"}
	mixed := roots.MixedV1{Value: roots.Batch{1, 2}}
	var none roots.MixedV1
	var noCount roots.MaybeCountV1

	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	if err := roots.InsertChangeV1(ctx, tx, change); err != nil {
		t.Fatal(err)
	}
	if err := roots.InsertAll(ctx, tx, lines, code, outbox.With(mixed, outbox.WithAggregateID("m"))); err != nil {
		t.Fatal(err)
	}
	if err := roots.InsertMixedV1(ctx, tx, "n", none); err != nil {
		t.Fatal(err)
	}
	if err := roots.InsertMaybeCountV1(ctx, tx, "c", noCount); err != nil {
		t.Fatal(err)
	}
	var invalid *outbox.ValidationError
	if err := roots.InsertCodeV1(ctx, tx, roots.CodeV1{Value: "A"}); !errors.As(err, &invalid) {
		t.Errorf("data that breaks the schema: %v", err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}

	var aggregates []string
	var handled []any
	router := consume.NewRouter()
	roots.OnChangeV1(router, func(_ context.Context, e outbox.Envelope[roots.ChangeV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	roots.OnLinesV1(router, func(_ context.Context, e outbox.Envelope[roots.LinesV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	roots.OnCodeV1(router, func(_ context.Context, e outbox.Envelope[roots.CodeV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	roots.OnMixedV1(router, func(_ context.Context, e outbox.Envelope[roots.MixedV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	roots.OnMaybeCountV1(router, func(_ context.Context, e outbox.Envelope[roots.MaybeCountV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	for _, row := range outboxtest.Pending(t, conn) {
		aggregates = append(aggregates, row.AggregateID)
		headers := []outbox.Header{{Key: "event_id", Value: []byte(row.ID.String())}, {Key: "event_type", Value: []byte(row.EventType)}}
		if err := router.Dispatch(ctx, consume.Message{Topic: row.Topic, Value: row.Data, Headers: headers}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"7", "o1", "abc", "m", "n", "c"}, aggregates); diff != "" {
		t.Errorf("aggregate ids (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{change, lines, code, mixed, none, noCount}, handled); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}
