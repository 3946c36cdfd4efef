package generator_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/outboxgen/outboxgen/generator"
)

const paid = `title: OrderPaid
description: A customer paid.
x-outbox: {version: 1, type: shop.order_paid.v1, aggregate: {type: order, id: /order_id}, compat: {level: FULL}}
type: object
required: [order_id]
properties:
  order_id: {$ref: ids.yaml}
`

// twoEvents returns a project with two events, one of which refers to another file.
func twoEvents(t *testing.T, config string) *repo {
	t.Helper()
	r := &repo{t, t.TempDir()}
	r.write("outboxgen.yaml", project+config)
	r.write("schemas/order_placed.v1.yaml", placed)
	r.write("schemas/order_paid.v1.yaml", paid)
	r.write("schemas/ids.yaml", "title: OrderID\ndescription: The order.\ntype: string\nmaxLength: 36\n")
	return r
}

// register registers the schemas of a project, and returns what is printed.
func (r *repo) register(address string, change ...func(*generator.RegisterConfig)) (text string, failed bool, err error) {
	r.t.Helper()
	cfg := generator.RegisterConfig{Config: generator.Config{Dir: r.dir}, Registry: address}
	for _, c := range change {
		c(&cfg)
	}
	result, err := generator.Register(r.t.Context(), cfg)
	if err != nil {
		return "", false, err
	}
	var b strings.Builder
	if err := errors.Join(result.Report(&b, generator.ReportOptions{}), result.Write(&b, "text")); err != nil {
		r.t.Fatal(err)
	}
	return b.String(), result.Failed(), nil
}

func (r *repo) registers(address, want string, change ...func(*generator.RegisterConfig)) {
	r.t.Helper()
	got, failed, err := r.register(address, change...)
	if err != nil || failed {
		r.t.Errorf("failed: %t, error: %v", failed, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("register (-want +got):\n%s", diff)
	}
}

func dryRun(c *generator.RegisterConfig)   { c.DryRun = true }
func setLevel(c *generator.RegisterConfig) { c.SetLevel = true }

func newFake(t *testing.T, opts ...srfake.Option) *srfake.Registry {
	t.Helper()
	reg := srfake.New(opts...)
	t.Cleanup(reg.Close)
	return reg
}

func TestRegister(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	r := twoEvents(t, "")
	r.registers(reg.URL(), "shop.order_paid.v1-value: new; it would be registered (shop.order_paid.v1)\n"+
		"shop.order_placed.v1-value: new; it would be registered (shop.order_placed.v1)\n", dryRun)
	if reg.SubjectExists("shop.order_paid.v1-value") {
		t.Fatal("a dry run registers")
	}
	r.registers(reg.URL(), "shop.order_paid.v1-value: registered as version 1, id 1 (shop.order_paid.v1)\n"+
		"shop.order_placed.v1-value: registered as version 1, id 2 (shop.order_placed.v1)\n")
	r.replace("schemas/order_paid.v1.yaml", "A customer paid.", "A customer has paid.")
	r.registers(reg.URL(), "shop.order_paid.v1-value: registered as version 2, id 3 (shop.order_paid.v1)\n"+
		"shop.order_placed.v1-value: unchanged, version 1, id 2 (shop.order_placed.v1)\n")
	r.registers(reg.URL(), "shop.order_placed.v1-value: unchanged, version 1, id 2 (shop.order_placed.v1)\n",
		func(c *generator.RegisterConfig) { c.Types = []string{"shop.order_placed.v1"} })
	// A schema that is registered is not registered again, also if it is not the latest version.
	r.replace("schemas/order_paid.v1.yaml", "A customer has paid.", "A customer paid.")
	r.registers(reg.URL(), "shop.order_paid.v1-value: unchanged, version 1, id 1 (shop.order_paid.v1)\n",
		func(c *generator.RegisterConfig) { c.Types = []string{"shop.order_paid.v1"} })
	got, failed, err := r.register(reg.URL(), func(c *generator.RegisterConfig) { c.Types = []string{"shop.order_placed.v2"} })
	if diff := cmp.Diff("the project has no event of type shop.order_placed.v2", fmt.Sprint(err)); diff != "" {
		t.Errorf("an unknown type: %q, %t, %s", got, failed, diff)
	}
}

func TestRegisterSetsLevels(t *testing.T) {
	t.Parallel()
	reg := newFake(t, srfake.WithGlobalCompat(sr.CompatNone))
	r := twoEvents(t, "")
	const levels = "shop.order_paid.v1-value: registered as version 1, id 1; compatibility level FULL instead of NONE (shop.order_paid.v1)\n" +
		"shop.order_placed.v1-value: registered as version 1, id 2; compatibility level BACKWARD instead of NONE (shop.order_placed.v1)\n"
	r.registers(reg.URL(), strings.NewReplacer("registered as version 1, id 1", "new; it would be registered", "registered as version 1, id 2", "new; it would be registered").Replace(levels), dryRun, setLevel)
	r.registers(reg.URL(), levels, setLevel)
	r.registers(reg.URL(), "shop.order_paid.v1-value: unchanged, version 1, id 1 (shop.order_paid.v1)\n"+
		"shop.order_placed.v1-value: unchanged, version 1, id 2 (shop.order_placed.v1)\n", setLevel)
}

// If the registry refuses one schema, none is registered, and the registry's message is
// printed.
func TestRegisterNothingIfOneIsRefused(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"by the check": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/compatibility/subjects/shop.order_paid.v1-value/versions/latest" || r.URL.Query().Get("verbose") != "true" {
				return false
			}
			fmt.Fprint(w, `{"is_compatible": false, "messages": ["{errorType:\"TYPE_NARROWED\",\n path:\"#/data\"}", "{compatibility: 'FULL'}"]}`)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := newFake(t)
			reg.SeedSchema("shop.order_paid.v1-value", 1, 1, sr.Schema{Schema: `{"type": "string"}`, Type: sr.TypeJSON})
			reg.Intercept(refuse)
			for _, dry := range []bool{true, false} {
				got, failed, err := twoEvents(t, "").register(reg.URL(), func(c *generator.RegisterConfig) { c.DryRun = dry })
				want := "shop.order_paid.v1-value: the registry refuses the schema (shop.order_paid.v1)\n" +
					"  {errorType:\"TYPE_NARROWED\", path:\"#/data\"}\n  {compatibility: 'FULL'}\n" +
					"shop.order_placed.v1-value: new; it would be registered (shop.order_placed.v1)\n"
				if !dry {
					want = strings.Replace(want, "new; it would be registered", "not registered, because the registry refuses another schema", 1)
				}
				if diff := cmp.Diff(want, got); diff != "" || !failed || err != nil {
					t.Errorf("failed: %t, %v (-want +got):\n%s", failed, err, diff)
				}
			}
			if reg.SubjectExists("shop.order_placed.v1-value") {
				t.Error("the other schema is registered")
			}
		})
	}
}

// A registry may refuse only the registration, as at a transitive level: the schemas
// after that one are not registered.
func TestRegisterStopsAtALateRefusal(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path != "/subjects/shop.order_paid.v1-value/versions" {
			return false
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"error_code": 409, "message": "incompatible with version 1"}`)
		return true
	})
	got, failed, err := twoEvents(t, "").register(reg.URL())
	want := "shop.order_paid.v1-value: the registry refuses the schema (shop.order_paid.v1)\n  incompatible with version 1\n" +
		"shop.order_placed.v1-value: not registered, because the registry refuses another schema (shop.order_placed.v1)\n"
	if diff := cmp.Diff(want, got); diff != "" || !failed || err != nil {
		t.Errorf("failed: %t, %v (-want +got):\n%s", failed, err, diff)
	}
	if reg.SubjectExists("shop.order_placed.v1-value") {
		t.Error("the other schema is registered")
	}
}

func TestRegisterWhereTheRegistryCannotCompare(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	reg.SeedSchema("shop.order_paid.v1-value", 1, 1, sr.Schema{Schema: `{"type": "string"}`, Type: sr.TypeJSON})
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/compatibility/") {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error_code": 0, "message": "#: could not determine version"}`)
		return true
	})
	_, _, err := twoEvents(t, "").register(reg.URL())
	want := "ask the registry " + reg.URL() + " to check the compatibility with the subject shop.order_paid.v1-value: 500: #: could not determine version; " +
		"if this registry cannot compare schemas of JSON Schema 2020-12, set the compatibility level of the subject to NONE, and compare with outboxgen check"
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestRegisterNoPlace(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	reg.SeedSchema("shop.order_paid.v1-value", 1, 1, sr.Schema{Schema: `"string"`})
	got, failed, err := twoEvents(t, "").register(reg.URL())
	want := "shop.order_paid.v1-value: the registry refuses the schema (shop.order_paid.v1)\n" +
		"  the subject has a schema of type AVRO, not a JSON Schema; use another topic, or delete the subject if no consumer needs it\n" +
		"shop.order_placed.v1-value: not registered, because the registry refuses another schema (shop.order_placed.v1)\n"
	if diff := cmp.Diff(want, got); diff != "" || !failed || err != nil {
		t.Errorf("failed: %t, %v (-want +got):\n%s", failed, err, diff)
	}
	r := twoEvents(t, "compat: {subjects: record}\n")
	r.replace("schemas/order_paid.v1.yaml", "title: OrderPaid", "title: OrderPlaced")
	r.replace("schemas/order_paid.v1.yaml", "version: 1, type: shop.order_paid.v1", "version: 2, type: shop.order_placed.v2")
	_, _, err = r.register(reg.URL())
	if err == nil || !strings.Contains(err.Error(), "have the same subject, OrderPlaced, and readers expect one schema in a subject") {
		t.Errorf("two events with one subject: %v", err)
	}
	// It does not help to register one after the other: each would replace the other's schema.
	for _, eventType := range []string{"shop.order_placed.v1", "shop.order_placed.v2"} {
		_, _, err = r.register(reg.URL(), func(c *generator.RegisterConfig) { c.Types = []string{eventType} })
		if err == nil || !strings.Contains(err.Error(), "have the same subject, OrderPlaced, and readers expect one schema in a subject") || reg.SubjectExists("OrderPlaced") {
			t.Errorf("one of two events with one subject: %v", err)
		}
	}
	r.replace("schemas/order_paid.v1.yaml", "type: object", "type: objekt")
	if got, failed, err := r.register(reg.URL()); err != nil || !failed || !strings.Contains(got, "objekt") {
		t.Errorf("a project with errors: %q, %v", got, err)
	}
}

// The registered schema is that of the whole value, for each envelope. A comparison
// with the registry finds the schema of the data in it.
func TestRegisteredSchemas(t *testing.T) {
	t.Parallel()
	const data = `{"order_id": "1", "state": "new"}`
	for envelope, values := range map[string]struct{ valid, invalid []string }{
		"none": {[]string{data}, []string{`{"order_id": "1", "state": "old"}`}},
		"outbox": {
			[]string{`{"event_id": "018fd0a0-0000-7000-8000-000000000001", "event_type": "shop.order_placed.v1", "event_timestamp": "2026-01-02T03:04:05Z",
				"source_service": "shop", "schema_version": 1, "correlation_id": "c", "data_schema_uri": null, "data": ` + data + `, "metadata": {"a": 1}, "more": 1}`},
			[]string{
				data,
				`{"event_id": "018fd0a0-0000-7000-8000-000000000001", "event_type": "shop.order_placed.v2", "event_timestamp": "2026-01-02T03:04:05Z",
					"source_service": "shop", "schema_version": 1, "correlation_id": "c", "data": ` + data + `}`,
				`{"event_id": "018fd0a0-0000-7000-8000-000000000001", "event_type": "shop.order_placed.v1", "event_timestamp": "2026-01-02T03:04:05Z",
					"source_service": "shop", "schema_version": 1, "correlation_id": "c", "data": {"order_id": "1"}}`,
			},
		},
		"cloudevents": {
			[]string{`{"specversion": "1.0", "id": "018fd0a0-0000-7000-8000-000000000001", "source": "shop", "type": "shop.order_placed.v1", "data": ` + data + `}`},
			[]string{data, `{"specversion": "1.0", "id": "018fd0a0-0000-7000-8000-000000000001", "source": "shop", "type": "shop.order_placed.v1", "data": {}}`},
		},
	} {
		t.Run(envelope, func(t *testing.T) {
			t.Parallel()
			reg := newFake(t)
			r := twoEvents(t, "envelope: "+envelope+"\n")
			if _, failed, err := r.register(reg.URL()); failed || err != nil {
				t.Fatal(failed, err)
			}
			registered, _ := reg.GetSchema("shop.order_placed.v1-value", 1)
			compiler := jsonschema.NewCompiler()
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(registered.Schema.Schema))
			if err != nil {
				t.Fatal(err)
			}
			if err := compiler.AddResource("registered.json", document); err != nil {
				t.Fatal(err)
			}
			compiled, err := compiler.Compile("registered.json")
			if err != nil {
				t.Fatal(err)
			}
			for want, list := range map[bool][]string{true: values.valid, false: values.invalid} {
				for _, text := range list {
					value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
					if err != nil {
						t.Fatal(err)
					}
					if err := compiled.Validate(value); (err == nil) != want {
						t.Errorf("%s: %v", text, err)
					}
				}
			}
			if got := r.verdict(reg.URL()); got != "PASS" {
				t.Errorf("check says %s of what is registered", got)
			}
			r.replace("schemas/ids.yaml", "36", "35")
			if got := r.verdict(reg.URL()); got != "max-length-decreased" {
				t.Errorf("check says %s of a changed schema", got)
			}
		})
	}
}

// Credentials are sent to the registry, and never printed.
func TestRegisterKeepsThePassword(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variable, value, header string
	}{
		"user":  {"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "ann:Kw4zqVx9rt", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:Kw4zqVx9rt"))},
		"token": {"SCHEMA_REGISTRY_BEARER_TOKEN", "Kw4zqVx9rt", "Bearer Kw4zqVx9rt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := func(c *generator.RegisterConfig) {
				c.Env = func(variable string) string { return map[string]string{test.variable: test.value}[variable] }
			}
			reg := newFake(t, srfake.WithAuth(test.header))
			if _, failed, err := twoEvents(t, "").register(reg.URL(), env); failed || err != nil {
				t.Errorf("failed: %t, %v", failed, err)
			}
			echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/subjects/") && r.Method == http.MethodGet {
					w.WriteHeader(http.StatusNotFound)
					fmt.Fprint(w, `{"error_code": 40401, "message": "none"}`)
					return
				}
				w.WriteHeader(http.StatusConflict)
				fmt.Fprintf(w, `{"error_code": 409, "message": "who is %s with %s"}`, test.value, r.Header.Get("Authorization"))
			}))
			t.Cleanup(echo.Close)
			got, failed, err := twoEvents(t, "").register(echo.URL, env)
			if !failed || err != nil || strings.Contains(got, "Kw4z") || strings.Contains(got, test.header) {
				t.Errorf("failed: %t, %v: %s", failed, err, got)
			}
			judge := newFake(t, srfake.WithAuth(test.header))
			judge.SeedSchema("shop.order_paid.v1-value", 1, 1, sr.Schema{Schema: `{"type": "string"}`, Type: sr.TypeJSON})
			judge.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/compatibility/") {
					return false
				}
				fmt.Fprintf(w, `{"is_compatible": false, "messages": ["%s may not, with %s"]}`, test.value, r.Header.Get("Authorization"))
				return true
			})
			got, failed, err = twoEvents(t, "").register(judge.URL(), env)
			if !failed || err != nil || strings.Contains(got, "Kw4z") || strings.Contains(got, test.header) {
				t.Errorf("failed: %t, %v: %s", failed, err, got)
			}
			_, _, err = twoEvents(t, "").register("http://127.0.0.1:1", env)
			if err == nil || strings.Contains(err.Error(), "Kw4z") {
				t.Errorf("nobody listens: %v", err)
			}
		})
	}
}

// If subjects are named after records, the output can be copied into the relay's
// settings.
func TestRegisterForTheRelay(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	for naming, want := range map[string]string{
		"topic":        "  - shop.order_paid.v1=shop.order_paid.v1-value\n  - shop.order_placed.v1=shop.order_placed.v1-value\n",
		"record":       "  - shop.order_paid.v1=OrderPaid\n  - shop.order_placed.v1=OrderPlaced\n",
		"topic-record": "  - shop.order_paid.v1=shop.order_paid.v1-OrderPaid\n  - shop.order_placed.v1=shop.order_placed.v1-OrderPlaced\n",
	} {
		dir := twoEvents(t, "compat: {subjects: "+naming+"}\n").dir
		result, err := generator.Register(t.Context(), generator.RegisterConfig{Config: generator.Config{Dir: dir}, Registry: reg.URL(), DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := result.Write(&got, "relay"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("registry_subjects:\n"+want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", naming, diff)
		}
	}
}

func TestRegisterInJSON(t *testing.T) {
	t.Parallel()
	reg := newFake(t)
	result, err := generator.Register(t.Context(), generator.RegisterConfig{Config: generator.Config{Dir: twoEvents(t, "").dir}, Registry: reg.URL(), Types: []string{"shop.order_paid.v1"}, SetLevel: true})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := result.Write(&got, "json"); err != nil {
		t.Fatal(err)
	}
	want := `{
  "registry": "` + reg.URL() + `",
  "schemas": [
    {
      "type": "shop.order_paid.v1",
      "subject": "shop.order_paid.v1-value",
      "state": "registered",
      "version": 1,
      "id": 1,
      "level": "BACKWARD",
      "new_level": "FULL"
    }
  ]
}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
